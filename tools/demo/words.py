# SPDX-License-Identifier: Apache-2.0
"""The word lists behind make_dialogues.py: who speaks, and what they speak about.

Every list is one kind of value a dialogue can hold. Lists are wide on purpose: a model that is to summarize must
learn to copy the value it reads, and a short list could be learned by heart instead.
"""


def words(text):
    """One entry per blank-separated word."""
    return text.split()


def phrases(text):
    """One entry per `;`, blanks and line breaks inside folded."""
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


FIRST_NAMES = words("""
Aaron Abigail Ada Adam Adele Adrian Agnes Aisha Alan Albert Alex Alice Alicia Alina Alma Amanda Amara Amber Amelia
Amir Amy Ana Andre Andrea Andrew Angela Anika Anita Anna Annette Anton Antonia April Ariana Arjun Arthur Asha Astrid
Audrey August Ava Barbara Barry Beatrice Becky Bella Ben Benita Bernard Beth Bianca Bill Blake Bonnie Boris Brad
Brandon Brenda Brian Bridget Bruce Bruno Caleb Calvin Camila Carl Carla Carlos Carmen Carol Caroline Casey Cecil
Cecilia Celia Chad Charles Charlotte Chen Chloe Chris Christa Cindy Claire Claude Clara Clive Cody Colin Connie Connor
Cora Craig Curtis Cynthia Daisy Dale Damian Dana Daniel Daphne Darren David Dawn Dean Deborah Delia Dennis Derek Diana
Diego Dina Dmitri Dominic Donald Donna Dora Doris Douglas Duncan Dylan Earl Edgar Edith Edward Eileen Elaine Elena Eli
Elias Elise Eliza Ella Ellen Elliot Elsa Emil Emily Emma Enzo Eric Erica Erin Esther Ethan Eugene Eva Evan Evelyn Ezra
Faith Farid Fatima Felix Fern Fiona Flora Florence Floyd Frances Frank Fred Frieda Gabriel Gail Garth Gavin Gemma Gene
Geoffrey George Georgia Gerald Gina Giles Glen Gloria Gordon Grace Graham Grant Greg Greta Gus Guy Gwen Hana Hannah
Hans Harold Harper Harriet Harry Harvey Hassan Hazel Heather Hector Heidi Helen Helga Henry Herbert Hilda Holly Howard
Hugh Hugo Ian Ida Igor Ilse Imani Imran Ines Ingrid Iris Irma Isaac Isabel Isla Ivan Ivy Jack Jacob Jade Jake James
Jamie Jana Jane Janet Jared Jasmine Jason Jasper Jay Jean Jeff Jenna Jenny Jerome Jesse Jessica Jill Jim Jin Joan
Joanna Joel Johan John Jonas Jordan Jose Joseph Josh Joyce Juan Judith Judy Julia Julian Juliet June Justin Kai Karen
Karl Kate Katrin Kayla Keith Kelly Ken Kenji Kerry Kevin Khalid Kim Kira Kurt Kyle Lana Lara Larry Laura Lauren Lea
Leah Leila Lena Leo Leon Leona Leroy Leslie Lester Lewis Liam Lidia Lila Lily Linda Lionel Lisa Lloyd Logan Lois Lola
Lorenzo Louis Louise Lucas Lucia Lucy Luis Luke Lydia Lynn Mabel Madison Magda Malik Mandy Manuel Mara Marc Marcia
Marco Marcus Margaret Maria Mariam Marie Marina Mario Marion Marisol Mark Marlene Martha Martin Marvin Mary Mateo
Matilda Matt Maureen Maurice Max Maya Megan Mei Melanie Melissa Mia Michael Miguel Mike Mila Miles Milo Mina Minho
Mira Miriam Mitch Molly Mona Monica Morgan Moses Nadia Nancy Naomi Natalie Nathan Neil Nell Nelson Nia Nicholas Nick
Nicole Nigel Nina Noah Noel Nora Norman Olaf Olga Oliver Olivia Omar Oscar Otto Owen Paige Pam Patricia Patrick Paul
Paula Pedro Peggy Penny Percy Perry Pete Petra Phil Philip Phoebe Pia Pierre Polly Priya Quentin Quinn Rachel Rafael
Raj Ralph Ramona Randy Ravi Ray Rebecca Regina Rhoda Ricardo Richard Rita Robert Robin Rocco Rodney Roger Roland Roman
Ronald Rosa Rose Rosie Ross Roy Ruben Ruby Rudy Rufus Rupert Russell Ruth Ryan Sabina Sadie Sally Salma Sam Samantha
Samuel Sandra Sara Saul Scott Sean Selena Seth Shane Sharon Sheila Shirley Sidney Sienna Simon Simone Sofia Sonia
Sophie Stacy Stan Stefan Stella Stephen Steve Stuart Sue Susan Suzanne Sven Sylvia Tabitha Tamara Tanya Tara Ted
Teresa Terry Tess Theo Thelma Thomas Tiffany Tim Tina Tobias Todd Tom Toni Tony Tracy Travis Trevor Troy Uma Ursula
Valerie Vanessa Vera Vernon Veronica Victor Vincent Viola Violet Virgil Vivian Wade Wallace Walter Wanda Warren Wayne
Wendy Wesley Will Wilma Winston Xavier Yara Yasmin Yuki Yusuf Yvette Yvonne Zach Zara Zelda Zoe
""")

SURNAMES = words("""
Abbott Adler Ahmed Alvarez Archer Ashby Bailey Banerjee Barlow Bauer Becker Bennett Berger Bishop Boyle Bradley
Brennan Burke Cameron Campos Carver Castillo Chandra Chang Choi Clarke Cole Conrad Cooper Costa Crane Cruz Dalton
Delgado Dixon Donovan Doyle Drake Duarte Eriksen Espinoza Farrell Ferrari Fischer Fleming Foster Fowler Frost Fuentes
Garner Gibson Gomez Granger Griffin Gupta Haas Hale Hamid Hansen Harlow Hayes Hendricks Herrera Hoffman Holt Hughes
Hussain Ibarra Ibrahim Iyer Jansen Jensen Joshi Kane Kapoor Keller Kendall Kim Kirby Klein Kovac Kumar Lambert Larsen
Leclerc Lindgren Lopez Lowe Lund Mahoney Malone Marsh Mathis Mayer Mbeki McCoy Meier Mendez Mercer Moreau Moretti Mori
Murphy Nakamura Navarro Nguyen Nolan Novak Nunez Okafor Olsen Ortiz Osborne Otieno Padilla Park Patel Pearson Peters
Petrov Pham Pierce Pratt Quigley Ramos Rao Reeves Reyes Rhodes Ricci Riley Rivera Romero Rossi Rowe Russo Salazar
Santos Sato Schmidt Schwartz Serrano Shah Sharma Silva Singh Soto Stark Steele Sutton Suzuki Tanaka Tate Torres Tran
Tucker Turner Vance Vargas Vaughn Vega Vogel Wagner Walsh Watanabe Weber Weiss Whitaker Winters Wolfe Yamada Yates
Yilmaz York Zimmer
""")

CITIES = words("""
Aberdeen Alicante Amsterdam Ankara Antwerp Athens Auckland Austin Barcelona Bari Basel Belfast Berlin Bern Bilbao
Bologna Bonn Bordeaux Boston Bremen Brighton Bristol Brisbane Bruges Brussels Budapest Busan Cairo Calgary Cardiff
Chicago Cologne Copenhagen Cork Dallas Delhi Denver Detroit Dover Dresden Dublin Dundee Durham Edinburgh Exeter
Florence Frankfurt Geneva Genoa Ghent Glasgow Granada Graz Halifax Hamburg Hanoi Hanover Helsinki Houston Istanbul
Izmir Jakarta Kiel Krakow Kyoto Leeds Leipzig Lille Lima Linz Lisbon Liverpool London Lyon Madrid Malaga Malmo
Manchester Manila Marseille Melbourne Memphis Miami Milan Montreal Mumbai Munich Nairobi Nantes Naples Nashville
Newcastle Nice Norwich Oakland Odessa Orlando Osaka Oslo Ottawa Oxford Palermo Paris Perth Phoenix Pisa Plymouth Porto
Portland Prague Quebec Reykjavik Riga Rome Rotterdam Salzburg Seattle Seoul Seville Sheffield Sofia Stockholm
Stuttgart Sydney Tallinn Tampa Tokyo Toledo Toronto Toulouse Trieste Turin Utrecht Valencia Vancouver Venice Verona
Vienna Vilnius Warsaw York Zagreb Zurich
""")

STREETS = phrases("""
Maple Street; Oak Avenue; Station Road; Mill Lane; Church Street; Harbor Road; Park Lane; Elm Street; Cedar Avenue;
Bridge Street; King Street; Queen Street; Market Street; Hill Road; Garden Lane; River Road; Lake Avenue; Willow Lane;
Birch Street; Chestnut Avenue; Victoria Road; Castle Street; Meadow Lane; Orchard Road; Forest Avenue; Pine Street;
School Lane; Abbey Road; Canal Street; Chapel Lane; Duke Street; Field Lane; Grove Road; Holly Lane; Juniper Street;
Laurel Avenue; Linden Street; Magnolia Avenue; Mason Street; Mercer Street; Ocean Drive; Palm Drive; Poplar Road;
Prospect Street; Quarry Lane; Rose Street; Summit Drive; Sunset Drive; Temple Street; Tower Road; Union Street; Valley
Road; Walnut Street; Water Street; West Street; Windmill Lane; Windsor Road; Vine Street; Spring Street; Sycamore
Drive; Bell Lane; Fountain Square; Copper Lane; Baker Row; Foundry Street; Granite Street; Heron Drive; Ivy Lane;
Kestrel Road; Lantern Street; Tanner Row
""")

PLACE_ADJECTIVES = words("""
Blue Golden Silver Red Green Black White Crimson Amber Copper Iron Velvet Crystal Hidden Quiet Merry Happy Hungry
Lucky Little Grand Royal Rustic Sunny Salty Smoky Sweet Spicy Wild Wandering Whispering Dancing Laughing Sleepy Jolly
Crooked Broken Old Painted Floating Flying Northern Southern Eastern Western Urban Secret Gentle Bright Burning Frozen
""")

PLACE_NOUNS = words("""
Lantern Fork Spoon Kettle Oven Table Garden Olive Lemon Pepper Ginger Basil Truffle Anchor Harbor Lobster Oyster
Dolphin Whale Fox Owl Bear Boar Stag Swan Goose Rooster Peacock Sparrow Raven Falcon Lion Tiger Dragon Elephant Camel
Monkey Rose Lotus Orchid Tulip Poppy Acorn Pine Cedar Willow Barrel Bottle Cellar Tavern Crown Castle Bell Mirror
Compass Wagon Mill
""")

DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("January February March April May June July August September October November December")
NUMBERS = words("two three four five six seven eight nine ten eleven twelve")
HOUR_WORDS = words("twelve one two three four five six seven eight nine ten eleven")

COLORS = words("""
black blue red green grey brown white yellow orange purple pink silver beige turquoise navy maroon olive golden violet
crimson cream teal burgundy khaki
""")

BAGS = phrases("""
suitcase; backpack; duffel bag; trunk; garment bag; sports bag; guitar case; camera case; toolbox; rucksack; handbag;
briefcase; laptop bag; stroller; ski bag; cello case; hat box; carry-on; shoulder bag; travel bag; violin case; tripod
case
""")

BAG_MARKS = phrases("""
a ribbon on the handle; a sticker of a panda; a broken wheel; a leather tag; a yellow strap; a rainbow belt; a scratch
on the lid; a name tag from Peru; a football sticker; a torn pocket; a bear keyring; a dented corner; a checkered
scarf; a missing zipper; a paint stain; a combination lock; a striped cover; a cactus patch; a flag sticker; a plastic
daisy; a wooden tag; an owl sticker; an anchor patch; a blue padlock; a silver star; a taped handle; a moon sticker; a
tartan ribbon
""")

BUSY = phrases("""
a dentist appointment; a piano lesson; a yoga class; a parents' evening; a driving test; a work dinner; a team
meeting; a swimming lesson; a night shift; a family lunch; a conference call; a haircut; a choir rehearsal; a board
meeting; a train to catch; a plumber coming; a medical check; a guitar lesson; a volleyball match; a budget review; a
football practice; a training course; a funeral; a wedding; a school concert; a delivery to wait for; a language
class; a flight to catch; a client visit; a chess tournament; a blood test; a physiotherapy session; a film club; a
book club; a babysitting job; a dance class; a tax meeting; a theatre rehearsal; a photo shoot; a house viewing; a
pottery class; a ballet recital; an exam; an eye test; an early shift; an interview; an online seminar; an office
party; an art class; a karate class; a christening; a cooking course; a charity run; a dress fitting; a fire drill; a
project deadline; a visa appointment
""")

STAFF_BUSY = phrases("""
another booking; a private event; a staff meeting; a group coming; a delivery; another customer; a holiday; an
inspection; a training day; a full house; a closed shop; a colleague on leave; an earlier appointment; a stock check;
a maintenance visit; a power cut announced; a long waiting list; an emergency on the list; a system update; a company
outing
""")

AILMENTS = phrases("""
a sore throat; a bad cough; a rash; a swollen ankle; a stiff neck; a fever; an earache; a migraine; a toothache; back
pain; a burned hand; chest pain; a twisted knee; stomach cramps; a cut finger; hay fever; a runny nose; dizzy spells;
an itchy eye; a sore shoulder; a bruised rib; heartburn; numb fingers; a blocked ear; an insect bite; a sprained
wrist; a heel blister; low blood pressure; poor sleep; a skin allergy; a lump on the elbow; a broken toe; hip pain; a
stubborn cold; a nosebleed; hiccups; blurred vision; a throbbing tooth; a swollen gland; shortness of breath; muscle
cramps; jaw pain; a chipped tooth
""")

BRING = phrases("""
an insurance card; a passport; a list of medicines; an old prescription; a photo; a bank statement; a signed form; the
last test results; a proof of address; a reference letter; a health card; a vaccination record; a student card; a
utility bill; two pay slips; a driving licence; a birth certificate; a referral letter; a cash deposit; an identity
card; a copy of the contract; a filled-in questionnaire; the X-ray pictures; a recent payslip; the original receipt; a
tax form; a rental history; a portfolio; a work sample; a writing sample; a laptop; a list of questions; a notebook;
reading glasses
""")

DISHES = phrases("""
lasagna; chocolate cake; potato salad; fruit salad; lemon tart; apple pie; fish soup; garlic bread; rice pudding;
chicken curry; spring rolls; dumplings; tomato soup; cheese platter; mushroom risotto; vegetable stew; banana bread;
cheesecake; meatballs; pancakes; grilled corn; stuffed peppers; onion tart; pumpkin pie; tacos; paella; falafel;
hummus; brownies; carrot cake; bean chili; roast beef; salmon pie; tiramisu; coleslaw; samosas; sushi rolls; spinach
quiche; noodle salad; ice cream; cherry crumble; ginger cookies; lentil soup; pasta salad; baked beans; cinnamon buns;
smoked trout; fried rice
""")

DRINKS = phrases("""
lemonade; orange juice; iced tea; sparkling water; red wine; apple cider; ginger beer; cola; white wine; mango juice;
hot cocoa; fruit punch; craft beer; tonic water; cherry juice; coconut water; green tea; coffee; elderflower syrup;
peach juice
""")

PARTY_NEEDS = phrases("""
balloons; paper plates; candles; a speaker; folding chairs; fairy lights; napkins; a guitar; board games; a cooler;
plastic cups; party hats; a projector; a karaoke machine; sparklers; streamers; a tablecloth; picnic blankets; a
badminton set; a camera; a barbecue grill; paper lanterns; a piñata; confetti; a frisbee; sunscreen; a bag of ice; bug
spray; a disco ball
""")

PARTIES = phrases("""
birthday party; farewell party; garden party; housewarming party; graduation party; surprise party; barbecue; picnic;
retirement party; costume party; baby shower; anniversary dinner; engagement party; street festival; pool party; game
night; movie night; tea party; potluck dinner; bonfire; brunch; wedding shower; harvest party; office lunch; reunion
""")

GIFTS = phrases("""
a cookbook; a scarf; a watch; a coffee machine; a plant; a painting; concert tickets; a bracelet; a puzzle; a wine
set; a photo album; headphones; a leather wallet; a telescope; a teapot; a spa voucher; a fountain pen; a record
player; a bicycle helmet; a pottery bowl; a tennis racket; a vase; a silk tie; running shoes; a hammock; a camera bag;
a lamp; a globe; a jewelry box; a desk clock; a kite; a sketchbook; perfume; a novel; a travel mug; a wool blanket; a
chess set; a ukulele
""")

SHOWS = phrases("""
jazz concert; opera; ballet; rock concert; puppet show; musical; comedy night; magic show; poetry reading; film
premiere; basketball game; ice hockey game; football match; tennis final; circus; piano recital; choir concert; book
reading; boxing match; science show; dance gala; folk concert; horror film; cartoon film; string quartet; light show;
wrestling match; drama festival; planetarium show; exhibition; handball match; guitar festival; gospel concert;
baseball game; flower show; rodeo
""")

SEATS = phrases("""
balcony; front row; back row; stalls; upper circle; box; standing area; gallery; side block; middle row; terrace;
north stand; south stand; east stand; west stand; mezzanine; family block; first tier; second tier; aisle
""")

GOODS = phrases("""
jacket; raincoat; sweater; dress; pair of jeans; pair of boots; pair of sandals; wool hat; suit; skirt; shirt; blouse;
coat; pair of gloves; swimsuit; tracksuit; cardigan; hoodie; toaster; blender; kettle; hair dryer; vacuum cleaner;
desk lamp; keyboard; printer; webcam; tablet; phone charger; smart watch; speaker; microphone; frying pan; rice
cooker; juicer; mixer; waffle iron; coffee grinder; tent; sleeping bag; yoga mat; pair of skis; tennis racket; bicycle
pump; garden hose; drill; lawn mower; ladder; mirror; curtain rod; bath mat; pillow; duvet; bookshelf; office chair;
bar stool; side table; picture frame; alarm clock; radio; baby monitor; car seat; pram; toy train; doll house;
scooter; skateboard; umbrella; backpack
""")

FAULTS = phrases("""
the zipper is stuck; a button is missing; the size is wrong; the color is fading; the screen is cracked; the handle
came off; it makes a loud noise; it will not switch on; the battery dies quickly; it smells of smoke; it leaks; a seam
is torn; the lid does not close; a leg is bent; the cable is frayed; it overheats; it arrived scratched; a screw is
missing; the buttons do not respond; it is too tight; it is too loud; it shrank in the wash; the plug is loose; a
wheel is wobbly; it stopped after a week; the strap broke; it keeps beeping; the glass is chipped; the sole is
peeling; the fabric itches
""")

SHOPS = phrases("""
Harper and Sons; Northgate Store; Bellmont; Corner Market; Fairway Outlet; Lumen Electronics; Kingsley; Brightside;
Homestead; Oakridge Mall; Tidewell; Marlow and Finch; Summit Sports; Cobblestone; Daybreak; Everly; Fernhill;
Greystone; Hillcrest; Ironbridge; Juniper House; Larkspur; Millbrook; Nightingale; Overland; Pinewood; Quickstep;
Riverside; Stonebrook; Thornbury; Upland; Valemont; Westbury; Yellowtree; Zenith; Ashford; Birchwood; Castlegate;
Dunmore; Elmhurst
""")

APPLIANCES = phrases("""
washing machine; dishwasher; boiler; fridge; freezer; oven; dryer; heater; air conditioner; toilet; shower; kitchen
sink; garage door; doorbell; elevator; water heater; radiator; bathroom fan; front door lock; window blind; stove;
microwave; bathtub drain; smoke alarm; ceiling lamp; gas meter; intercom; garden gate; chimney; roof gutter; kitchen
tap; cooker hood; internet router; television; burglar alarm; cellar pump; hot tub; skylight; mailbox lock; balcony
door
""")

APPLIANCE_FAULTS = phrases("""
is leaking; makes a grinding noise; has stopped working; smells of gas; keeps tripping the fuse; is blocked; will not
open; will not close; is dripping all night; shows an error code; is rattling; is overflowing; gets too hot; stays
cold; is sparking; hums loudly; is frozen solid; is flickering; turns off by itself; is stuck halfway; is full of
rust; is vibrating
""")

CAR_FAULTS = phrases("""
brakes squeal; engine overheats; clutch slips; battery is flat; windscreen is cracked; exhaust rattles; left headlight
is dead; gearbox grinds; tire has a puncture; steering pulls to the right; oil light is on; air conditioning blows
warm air; wipers are stuck; radiator leaks; horn does not work; mirror is broken; seat belt is jammed; fuel gauge is
wrong; back door will not lock; alarm goes off at night; handbrake is loose; engine stalls at traffic lights; bumper
is hanging off
""")

CARS = phrases("""
van; pickup; station wagon; convertible; minibus; sports car; motorbike; scooter; hatchback; jeep; camper; sedan;
taxi; delivery truck; electric car; old beetle; coupe; limousine; tractor; moped
""")

JOBS = phrases("""
nurse; accountant; chef; librarian; gardener; electrician; web designer; translator; bus driver; receptionist; data
analyst; sales assistant; lab technician; teacher; lifeguard; baker; carpenter; mechanic; editor; pharmacist; barista;
photographer; security guard; florist; warehouse clerk; project manager; copywriter; bookkeeper; tour guide; plumber;
caretaker; cashier; hairdresser; paralegal; tailor; welder; dental assistant; social worker; flight attendant;
architect; office manager; software tester; sound engineer; product designer; support agent; research assistant;
postal worker; waiter
""")

SUBJECTS = phrases("""
math; physics; chemistry; biology; history; geography; English; French; Spanish; German; Latin; music; art; economics;
philosophy; computer science; literature; statistics; astronomy; psychology; drama; sociology; ethics; geology;
algebra; calculus; grammar; Japanese; Italian; botany
""")

TASKS = phrases("""
essay; presentation; lab report; poster; worksheet; book review; group project; term paper; map; model; quiz; survey;
interview; summary; diary; video; timeline; research proposal; portfolio; speech; chart; experiment; case study;
reading log
""")

TOPICS = phrases("""
volcanoes; the Roman Empire; solar energy; honey bees; the water cycle; jazz; ocean currents; the printing press;
medieval castles; penguins; genetics; Renaissance art; vaccines; robots; the stock market; rain forests; glaciers; the
Silk Road; whales; city planning; black holes; the French Revolution; recycling; Greek myths; migration; earthquakes;
comic books; nutrition; the moon landing; river deltas; dinosaurs; windmills; coral reefs; chess; satellites; Vikings;
tea; lighthouses
""")

TRIP_THINGS = phrases("""
an old castle; a glass museum; a salt mine; a botanical garden; a night market; a boat tour; a cheese factory; a wine
tasting; a hot spring; a cable car; a sculpture park; a flea market; a cooking class; a walking tour; a cathedral; a
lighthouse; a waterfall; a film museum; a surf lesson; a canyon; a zoo; an aquarium; an old mill; an island; an
observatory; a chocolate museum; a bike tour; a ghost tour; a football stadium; a royal palace; a vineyard; a mountain
lake; a cave; a Roman theatre; a maritime museum; a rose garden; a steam train; a bird reserve; an ice cave; a puppet
theatre
""")

LODGINGS = phrases("""
hostel; small hotel; campsite; guesthouse; cabin; farmhouse; beach house; apartment; motel; houseboat; youth hostel;
mountain hut; bed and breakfast; cottage; villa; tree house; caravan; studio; lodge; castle hotel
""")

PARCELS = phrases("""
sofa; mattress; wardrobe; parcel of books; piano; dining table; flower bouquet; pizza; crate of wine; bed frame;
carpet; television; washing machine; bicycle; desk; box of tiles; Christmas tree; armchair; freezer; birthday cake;
set of plates; grocery order; garden bench; treadmill; aquarium; chest of drawers; load of firewood; rug; computer;
fridge; bunk bed; cot; glass cabinet; pallet of bricks; water tank; greenhouse; drum kit; printer; marble slab; sewing
machine
""")

DROP_PLACES = phrases("""
with the neighbor; in the garage; behind the gate; at the back door; under the porch; with the concierge; at the front
desk; in the shed; on the balcony; in the lobby; at the bakery next door; with the caretaker; in the carport; at the
post office; on the terrace; in the bike room; at the corner shop; by the side door; in the mail room; beside the
hedge
""")

FLAT_GOOD = phrases("""
a big balcony; a new kitchen; a sunny terrace; high ceilings; a quiet courtyard; a bathtub; a fireplace; a walk-in
closet; a parking space; wooden floors; a roof garden; a river view; fast internet; a dishwasher; a storage room; a
guest toilet; large windows; a laundry room; an elevator; an open kitchen; a private garden; a bike cellar; a bay
window; a sauna
""")

FLAT_BAD = phrases("""
a noisy street; a damp bathroom; thin walls; a steep staircase; a tiny bedroom; no elevator; an old boiler; dark
rooms; a strict landlord; poor heating; no parking; a broken window; a long commute; moldy walls; a leaking roof; a
smelly hallway; a school next door; no storage; a low ceiling; loud neighbors; a busy crossing; a bar downstairs; an
ugly carpet
""")

PETS = phrases("""
dog; cat; parrot; rabbit; hamster; tortoise; puppy; kitten; guinea pig; canary; goldfish; ferret; lizard; pony; goat;
budgie
""")

PET_NAMES = words("""
Biscuit Pepper Ziggy Mango Pickles Shadow Muffin Coco Bandit Waffles Noodle Ginger Peanut Rusty Socks Tofu Marble
Pumpkin Whiskers Snowy Nacho Cookie Thunder Pebbles Cinnamon Domino Freckles Buttons Tango Maple Sprout Jelly Bramble
Dusty Figaro
""")

PET_CARE = phrases("""
two walks a day; fresh water; a spoon of medicine; a bowl of dry food; plenty of hay; a brush every evening; a clean
litter box; carrots at noon; a warm blanket; the radio left on; boiled chicken; a short run in the park; half a tablet
at night; peeled apples; a bath; soft food only; a cuddle before bed; seeds twice a day; a long walk; a night light
""")

HOBBIES = phrases("""
tennis; hiking; bowling; climbing; badminton; swimming; a bike ride; ice skating; yoga; a jog; table tennis; mini
golf; kayaking; fishing; a picnic; a museum visit; horse riding; squash; paintball; a concert; rowing; archery;
surfing; a quiz night; karaoke; laser tag; birdwatching; a spa day; pottery; dancing; sailing; skiing; an escape room;
darts; a movie
""")

MEET_SPOTS = phrases("""
the main station; the town hall; the fountain; the old bridge; the library; the sports center; the park gate; the
harbor; the bus stop; the coffee shop; the post office; the museum entrance; the parking lot; the boathouse; the clock
tower; the market square; the cinema; the bakery; the university; the ticket office; the playground; the metro exit;
the swimming pool; the bookshop; the ferry dock; the statue; the church; the shopping mall; the gym; the taxi stand
""")

MEETING_TOPICS = phrases("""
the budget; the new website; the hiring plan; the office move; the sales report; the summer campaign; the client
survey; the safety rules; the product launch; the training plan; the annual report; the warehouse layout; the travel
policy; the logo; the holiday schedule; the press release; the customer complaints; the contract; the security audit;
the newsletter; the phone system; the trade fair; the recycling plan; the parking problem; the software update; the
Christmas party; the price list; the app design; the marketing video; the supplier change; the canteen menu; the
intern program
""")

ROOMS = phrases("""
the blue room; the library; the meeting room; the canteen; the conference room; the corner office; the lab; the roof
terrace; the studio; the main hall; the basement; the workshop; the lounge; the training room; the board room; the
annex; the glass office; the auditorium; the copy room; the garden pavilion
""")

COURSES = phrases("""
pottery course; Spanish course; swimming course; first aid course; photography course; cooking course; guitar course;
dance course; coding course; drawing course; sewing course; sailing course; baking course; chess course; yoga course;
diving course; writing course; gardening course; climbing course; public speaking course; piano course; judo course;
knitting course; wine course; carpentry course; beekeeping course; driving course; calligraphy course; ballet course;
boxing course
""")

LOST = phrases("""
umbrella; wallet; phone; set of keys; scarf; pair of sunglasses; library book; bus pass; water bottle; glove; laptop;
camera; earring; notebook; hat; lunch box; passport; bracelet; pair of headphones; credit card; watch; ring; tablet;
swimming bag; hearing aid; violin; sketchbook; jacket; stuffed rabbit; walking stick
""")

LOST_SPOTS = phrases("""
on the tram; in the changing room; under a bench; in the cafeteria; at the gym; in a taxi; on the night bus; in the
lecture hall; at the cinema; on the ferry; in the waiting room; at the playground; on the train; in the library; at
the pool; beside the fountain; in the elevator; at the museum; in the parking garage; on the beach; in the fitting
room; at the stadium
""")

EXCUSES = phrases("""
a flat tire; a traffic jam; a missed bus; a power cut; a sick child; a broken alarm clock; a train strike; heavy snow;
a lost key; a road closure; a late meeting; a burst pipe; a canceled flight; a storm; a wrong turn; a long queue; a
locked bike; a parking fine; a nosy neighbor; an accident on the bridge; a broken elevator; an empty fuel tank; a
forgotten phone; fog at the airport; a signal failure; a police check; a marathon in town; a stuck garage door; a
runaway dog; a fire alarm
""")

CHORES = phrases("""
the dishes; the laundry; the vacuuming; the shopping; the trash; the ironing; the bathroom; the windows; the cooking;
the garden; the lawn; the attic; the fridge; the dusting; the hallway; the balcony plants; the recycling; the mopping;
the cat litter; the bed sheets; the stairs; the oven; the garage; the bookshelves; the snow; the leaves; the basement;
the curtains
""")

AIRLINES = words("""
Skybird Aerolux Northwind Bluejet Sunair Starline Cloudway Polaris Albatross Meridian Swiftair Condorix Aeronova
Pacifica Windrose Helvetair Jetstar Falconair Transnord Borealis
""")

ROUTE_KINDS = phrases("train; night train; bus; coach; ferry; flight; express train; overnight bus")
TICKET_CLASSES = phrases("""
first class; second class; business class; economy class; a window seat; an aisle seat; a sleeper cabin; a quiet
compartment; a table seat; a bike space; a flexible ticket; a saver ticket; an upper berth; a lower berth
""")

DIETS = phrases("""
a vegan menu; a high chair; a window table; a quiet corner; a gluten-free menu; a table outside; a birthday cake;
wheelchair access; a nut-free menu; a private room; a booth; a vegetarian menu; a children's menu; a table by the
fireplace; a seat for a guide dog; a halal menu; a table on the roof; live music; a lactose-free dessert; a table near
the stage
""")

BODY_STAFF = phrases("""
dentist; eye doctor; skin doctor; family doctor; physiotherapist; children's doctor; heart specialist; ear specialist;
dietitian; foot doctor; surgeon; vet; allergy clinic; sleep clinic; travel clinic; speech therapist
""")
