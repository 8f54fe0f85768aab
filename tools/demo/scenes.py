# SPDX-License-Identifier: Apache-2.0
"""Scenes at a counter or on the telephone: bookings, appointments, tickets, returns, repairs, deliveries.

One function is one domain. It draws its values, chooses how things end, and lets the roles A to D speak.
"""

import words as w


def table_booking(g):
    g.set(count="count", place="place", day="day", time="evening", diet=w.DIETS, phone="code")
    g.title("B", "[Host|Waiter|Restaurant|Manager]")
    g.say(
        "B: [Good evening|Hello|Hi|Good afternoon|Welcome], {place}[, how can I help?|, what can I do for you?|, "
        "this is the front desk.|.]",
        "A: [Hi|Hello|Good evening], [this is {A}, |my name is {A}, |]I'd like to [book|reserve|get] a table "
        "[for {count}|for {count} people], please.",
        "B?0.5: [Of course|Certainly|Gladly|With pleasure]. [For which day|What day|When would that be]?")
    g.settle("A", "B", "day")
    g.say("B: [And at what time|What time|When should we expect you|And the time]?")
    g.settle("A", "B", "time")
    g.chat("A", "B", 0.3)
    full = g.chance(0.2)
    special = g.chance(0.5)
    if special:
        g.say(
            "A: [Could we have {diet}?|We need {diet}.|Is it possible to get {diet}?|We would love {diet}.|Can "
            "you arrange {diet}?]",
            "B: [I'll arrange that|Yes, we can do that|That is no problem|Of course, I've noted it].")
    g.revise()
    if full:
        g.set(other="place")
        g.say(
            "B: [Oh no, I see|I'm very sorry,|Oh dear, I just noticed] [we are fully booked|that evening is "
            "full|we have a closed party] after all. [Our other house|Our sister restaurant], {other}, [has "
            "room|is free|can take you].",
            "A: [Alright|Okay|Fine], [we'll go there|book us there|I'll take that], [same day and time|same time].")
        g.goodbye("A", "B")
        g.summary("{place} is full, so {A} gets a table for {count} at {other} on {day} at {time} instead.")
        return
    g.goodbye("A", "B")
    if special:
        g.summary("{A} books a table for {count} at {place} on {day} at {time} and asks for {diet}.")
    else:
        g.summary("{A} books a table for {count} at {place} on {day} at {time}.")


def doctor_visit(g):
    g.set(staff=w.BODY_STAFF, ail=w.AILMENTS, day="day", time="office", doctor="doctor", bring=w.BRING)
    g.title("B", "[Receptionist|Nurse|Assistant|Front desk]")
    g.say(
        "B: [{staff}'s office|Practice of {doctor}|Medical center], [good morning|hello|how can I help you].",
        "A: [Hello|Good morning|Hi], [it's {A}|{A} speaking|my name is {A}]. [I have|I've had|I'm suffering "
        "from|I woke up with] {ail}[ since yesterday| for a week| and it gets worse|]. [I need to see the "
        "{staff}.|Could I see the {staff}?|I'd like an appointment with the {staff}.]",
        "B?0.4: [Oh dear|I'm sorry to hear that|That sounds unpleasant]. [Did you take anything|Is it getting "
        "worse|Any fever]?")
    g.chat("B", "A", 0.2)
    ending = g.dice.below(4)
    if ending == 0:
        g.say(
            "B: [That sounds serious|Please don't wait|This can't wait]. [Come in right away|Can you be here "
            "today]? {doctor} [will see you|can see you|has a gap] at {time}.",
            "A: [I'll be there|I'm on my way|Okay, {time}, thank you].")
        g.say("B: [And bring|Don't forget|Please have] {bring}[ with you| ready|].")
        g.goodbye("A", "B")
        g.summary("{A} has {ail} and must come in today at {time} to see {doctor}, with {bring}.")
        return
    g.say(
        "B: [{doctor} has time|I can offer you {doctor}|You would see {doctor}|{doctor} is in this week]. [Which "
        "day suits you|Let me check the calendar|When can you come]?")
    g.settle("B", "A", "day")
    g.settle("B", "A", "time")
    if ending == 1:
        g.say(
            "B: [Please bring|Don't forget to bring|You will need] {bring}.",
            "A: [Okay, I will|Of course|I'll put it in my bag|Understood].")
    g.revise()
    g.goodbye("A", "B")
    if ending == 1:
        g.summary("{A} has {ail} and will see {doctor} on {day} at {time}. {A} should bring {bring}.")
    else:
        g.summary("{A} has {ail} and gets an appointment with {doctor} on {day} at {time}.")


def show_tickets(g):
    g.set(count="count", city=w.CITIES, show=w.SHOWS, day="day", price="ticket_price", seat=w.SEATS)
    g.title("B", "[Box office|Ticket agent|Clerk|Ticket desk]")
    g.say(
        "A: [Hello|Hi|Good morning], I'm {A}. [Are there any tickets left|Do you still have tickets|Could I buy "
        "tickets|Can I get {count} tickets] for the {show} in {city}[, please|]?",
        "B: [Yes, there are|We have a few|You're in luck|Let me look]. [How many|How many do you need|For how "
        "many people]?",
        "A: {count}[, please|, for my family|, together if possible|]. [We'd like|We prefer|Best in] the {seat}.",
        "B?0.5: [Let me check the {seat}|The {seat}, one moment|A fine choice].")
    g.settle("B", "A", "day")
    g.chat("A", "B", 0.3)
    g.say("A: [How much is it|What do they cost|And the price|What's the price per ticket]?")
    g.settle("B", "A", "price")
    g.revise()
    if g.chance(0.3):
        g.set(time="evening")
        g.say(
            "A: [When does it start|What time do the doors open|When should we be there]?",
            "B: [At {time}|Doors open at {time}|Be here by {time}].")
        g.goodbye("A", "B")
        g.summary(
            "{A} buys {count} tickets in the {seat} for the {show} in {city} on {day}, which starts at {time}, "
            "for {price} each.")
    elif g.chance(0.25):
        g.say(
            "A: [That's too expensive after all|Sorry, my friends just wrote that they can't come|I have to ask "
            "my boss first]. [I won't take them|Never mind|Please cancel that].",
            "B: [No problem|As you like|That's a pity].")
        g.summary(
            "{A} asks about {count} tickets for the {show} in {city} on {day} at {price} each, but does not buy "
            "them.")
    else:
        g.goodbye("A", "B")
        g.summary("{A} buys {count} tickets in the {seat} for the {show} in {city} on {day} for {price} each.")


def lost_luggage(g):
    g.set(color=w.COLORS, bag=w.BAGS, mark=w.BAG_MARKS, city=w.CITIES, air=w.AIRLINES, code="code", address="address",
          time="time", home=w.CITIES)
    g.title("B", "[Airport desk|Baggage service|Agent|Lost and found]")
    g.say(
        "A: [Hello|Excuse me|Hi], [my bag is missing|my luggage did not arrive|I can't find my luggage]. [I flew "
        "in from|I came from|I arrived from] {city} with {air}[, not with the {home} flight|].",
        "B: [I'm sorry|Oh no|I apologize]. [Your name and flight|May I have your name and flight number|Who am I "
        "speaking to, and which flight], please?",
        "A: {A}, flight {code}.",
        "B: [What does it look like|Can you describe it|What kind of bag is it]?",
        "A: [It's|I'm missing|It is] {an:color} {bag} with {mark}.")
    if g.chance(0.4):
        g.set(color2=w.COLORS, bag2=w.BAGS)
        g.say(
            "B: [There is|I have|Somebody left] {an:color2} {bag2} here. [Is that yours|Could it be that]?",
            "A: [No, mine is {color}|That's not it|Sorry, no].")
    g.chat("A", "B", 0.2)
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "B: [Good news|I found it in the system|There it is]: [it is still in|it was left in|it stayed in] "
            "{home}. [It will come|We expect it|It lands] at {time}.",
            "A: [Should I wait|What now]?",
            "B: [No, we bring it to you|We deliver it]. [Where are you staying|Your address, please]?",
            "A: [At|I live at|Please send it to] {address}.")
        g.summary("{A}'s {color} {bag} was left in {home}. It arrives at {time} and will be brought to {address}.")
    elif ending == 1:
        g.say(
            "B: [I can't see it yet|It is not in the system|No trace so far]. [We'll call you|We'll search for "
            "it]. [Where can we send it|Your address, please]?",
            "A: {address}[, please|, second floor|].",
            "B: [Expect a call by {time}|We'll ring you before {time}|You will hear from us at {time}].")
        g.summary("{A} reports a missing {color} {bag} with {mark} from flight {code}. The desk will call by {time}.")
    else:
        g.say(
            "B: [Wait|Look|One second], [somebody just brought it|it is behind me|it was on the wrong belt]! [Is "
            "this the one with {mark}|Is this it]?",
            "A: [Yes, that's mine|Yes! What a relief|That's it, thank you so much]!")
        g.summary("{A} misses {an:color} {bag} with {mark} after a flight from {city}, and the desk finds it.")
        return
    g.goodbye("A", "B")


def shop_return(g):
    g.set(item=w.GOODS, fault=w.FAULTS, day="day", price="price", shop=w.SHOPS, month="month")
    g.title("B", "[Clerk|Shop assistant|Cashier|Customer service]")
    g.say(
        "B?0.6: [Welcome to {shop}|{shop}, hello|Good morning, {shop}]. [What can I do for you|How can I help]?",
        "A: [Hi|Hello], I'm {A}. I [bought|got|ordered] {an:item} [here at {shop}|from {shop}|at {shop}] [in "
        "{month}|last {day}|not long ago], [but|and unfortunately] {fault}.",
        "B: [I'm sorry|Oh, that shouldn't happen|Let me see it|That's annoying]. [Do you have the receipt|How "
        "much did you pay|May I see the bill]?")
    g.settle("A", "B", "price", 0.5, 0.1, table="paid")
    g.chat("B", "A", 0.2)
    ending = g.dice.below(4)
    g.revise()
    if ending == 0:
        g.say(
            "B: [I can repair it|We can exchange it|Do you want a new one] [or give you the money back|or a "
            "refund]?",
            "A: [I'd like my money back|A refund, please|The money, please].",
            "B: [Sure|Alright|Okay]. [Here is your {price}|{price} back to your card|That's {price} for you].")
        g.summary("{A} returns {an:item} to {shop} because {fault}, and gets {price} back.")
    elif ending == 1:
        g.set(color=w.COLORS)
        g.say(
            "B: [Would you like a new one|Shall I exchange it|I can offer another one]?",
            "A: [Yes, but|Yes, and] [in {color}, please|can I have {an:color} one|do you have it in {color}]?",
            "B: [Of course|Here you are|We have one left].")
        g.summary("{A} returns {an:item} to {shop} because {fault}, and takes {an:color} one instead.")
    elif ending == 2:
        g.set(back="weekday")
        g.say(
            "B: [We can't refund it|It is too late for a refund|I can't give you the money], but we can repair it.",
            "A: [How long does that take|When will it be ready|And when can I have it]?")
        g.settle("B", "A", "back", 0.6, 0)
        g.summary("{A} brings {an:item} back to {shop} because {fault}. It will be repaired by {back}.")
    else:
        g.say(
            "B: [Without a receipt I can't help|I'm sorry, that was a final sale|The warranty is over]. [I can "
            "only offer|But you can have] a voucher.",
            "A: [That's not fair|I'm disappointed|Really]? [I want to see the manager|I'll complain|I'll write a "
            "letter].")
        g.summary("{A} wants to return {an:item} because {fault}, but {shop} refuses and only offers a voucher.")
        return
    g.goodbye("A", "B")


def home_repair(g):
    g.set(thing=w.APPLIANCES, fault=w.APPLIANCE_FAULTS, day="weekday", time="office", price="price",
          address="address")
    g.title("B", "[Repair service|Technician|Caretaker|Handyman|Landlord]")
    g.say(
        "A: [Hello|Hi|Good morning], [this is {A} from {address}|{A} here, {address}]. [My|The|Our] {thing} "
        "{fault}.",
        "B: [Since when|When did it start|Did you touch anything|Have you switched it off]?",
        "A: [Since yesterday|Since this morning|It started last night|Yes, but it did not help|No, I didn't "
        "dare]. [Can someone come|Could you send somebody|How soon can you come]?")
    g.chat("A", "B", 0.2)
    g.settle("B", "A", "day")
    g.settle("B", "A", "time")
    charged = g.chance(0.5)
    if charged:
        g.say("A: [And what will it cost|How much is it|What do you charge]?")
        g.settle("B", "A", "price")
    g.revise()
    if g.chance(0.4):
        g.set(neighbor="name")
        g.say(
            "A: [I won't be home|I have to work then]. [My neighbor|My sister|My flatmate] {neighbor} [will open "
            "the door|has the key|will let you in].",
            "B: [Fine|That's okay|I'll ring at {neighbor}'s].")
        g.goodbye("A", "B")
        g.summary("{A}'s {thing} {fault}. Someone will come on {day} at {time}, and {neighbor} will open the door.")
        return
    g.goodbye("A", "B")
    if charged:
        g.summary("{A}'s {thing} {fault}. Someone will come to repair it on {day} at {time} for {price}.")
    else:
        g.summary("{A}'s {thing} {fault}. Someone will come to {address} on {day} at {time}.")


def car_repair(g):
    g.set(car=w.CARS, fault=w.CAR_FAULTS, day="weekday", ready="weekday", price="price")
    g.title("B", "[Garage|Mechanic|Workshop]")
    g.say(
        "A: [Hello|Hi|Hey], I'm {A}, [I have a problem with my {car}|it's about my {car}|my {car} needs help]. "
        "The {fault}.",
        "B: [That doesn't sound good|We can fix that|Let me have a look|I know that problem]. [When can you "
        "bring it in|When can you drop it off]?")
    g.settle("A", "B", "day")
    g.chat("B", "A", 0.25)
    g.say("A: [What will that cost me|How much will it be|Any idea about the price]?")
    g.settle("B", "A", "price")
    ending = g.dice.below(3)
    if ending == 0:
        g.say("A: [And when is it ready|When can I have it back|How long will it take]?")
        g.settle("B", "A", "ready")
        g.revise()
        g.goodbye("A", "B")
        g.summary(
            "{A}'s {car} must be repaired because the {fault}. The garage takes it on {day} and has it ready on "
            "{ready} for {price}.")
    elif ending == 1:
        g.revise()
        g.say(
            "A: [That's more than I have|I need to think about it|I'll ask another garage first].",
            "B: [As you like|Call me any time|Don't wait too long, it is dangerous].")
        g.summary(
            "{A}'s {car} must be repaired because the {fault}. The garage offers to repair it on {day} for "
            "{price}, but {A} wants to think about it.")
    else:
        g.set(loan=w.CARS)
        g.say(
            "A: [I need a car meanwhile|How do I get to work|Do you lend cars]?",
            "B: [You can have|Take|We lend you] our {loan}[ for free| until it is done|].")
        g.revise()
        g.goodbye("A", "B")
        g.summary(
            "{A}'s {car} must be repaired because the {fault}. The garage repairs it on {day} for {price} and "
            "lends {A} {an:loan}.")


def parcel_delivery(g):
    g.set(parcel=w.PARCELS, address="address", day="day", time="time", spot=w.DROP_PLACES, wrong="address")
    g.title("B", "[Driver|Courier|Delivery service|Dispatcher]")
    if g.chance(0.35):
        g.say("B: [Hello|Hi|Good morning], [I have|we have|this is about] {an:parcel} for {A}[, is that you|]. "
              "[Is {wrong} the right address|I have {wrong} here]?")
        g.say(
            "A: [No, that's wrong|No, I moved|That's my old address]. [It's|I live at|The right one is] {address}.",
            "B: [I'll correct it|Thanks|Good that I asked].")
    else:
        g.say("B: [Hello|Hi|Good morning], [is this {A}|am I speaking to {A}]? [I have|We have|There is] {an:parcel} "
              "for you. [Your address is {address}, correct|You live at {address}, right]?",
              "A: [Yes, that's me|Yes|That's right].")
    g.say("B: [When are you home|When can we bring it|Which day suits you]?")
    g.settle("A", "B", "day")
    if g.chance(0.5):
        g.settle("B", "A", "time")
        g.chat("A", "B", 0.2)
        g.revise()
        g.goodbye("A", "B")
        g.summary("{an:parcel} for {A} will be delivered to {address} on {day} at {time}.")
    else:
        g.say(
            "A: [But I work all day|Nobody is home then|I may be out]. [Just leave it|Please put it|Can you "
            "leave it] {spot}.",
            "B: [Will do|I'll do that|No problem|Okay, {spot}].")
        g.chat("A", "B", 0.2)
        g.revise()
        g.goodbye("A", "B")
        g.summary("{an:parcel} for {A} will be delivered to {address} on {day} and left {spot}.")


def trip_ticket(g):
    g.set(start=w.CITIES, goal=w.CITIES, ride=w.ROUTE_KINDS, day="day", time="time", klass=w.TICKET_CLASSES,
          fare="fare", platform="platform")
    g.values["goal"] = g.values["goal"] if g.values["goal"] != g.values["start"] else "Montreal"
    g.title("B", "[Agent|Clerk|Ticket office|Travel agent]")
    g.say(
        "A: [Hello|Hi|Good morning], {A} is my name. [I need|I'd like|One] a ticket from {start} to {goal}, please.",
        "B: [By {ride}|There is {an:ride}|I can offer {an:ride}|The {ride} is best]. [Which day|When do you want "
        "to travel]?")
    g.settle("A", "B", "day")
    g.say("B: [And the departure|There are several departures|What time]?")
    g.settle("B", "A", "time")
    g.chat("A", "B", 0.2)
    g.say("B: [What kind of ticket|Any wishes|Which category]?")
    g.settle("A", "B", "klass")
    g.settle("B", "A", "fare", 0.6, 0.1)
    g.revise()
    if g.chance(0.35):
        g.say(
            "A: [Where does it leave|Which platform|Where do I go]?",
            "B: [From platform {platform}|Platform {platform}|It leaves from platform {platform}].")
        g.goodbye("A", "B")
        g.summary(
            "{A} takes the {time} {ride} from {start} to {goal} on {day} from platform {platform}, with {klass} "
            "for {fare}.")
    else:
        g.goodbye("A", "B")
        g.summary("{A} takes the {time} {ride} from {start} to {goal} on {day}, with {klass} for {fare}.")


def hotel_stay(g):
    g.set(hotel=["Hotel " + n for n in w.PLACE_NOUNS], count="count", day="day", price="price", wish=w.FLAT_GOOD,
          room="room_number", time="morning")
    g.title("B", "[Receptionist|Front desk|Hotel]")
    if g.chance(0.5):
        g.say(
            "B: {hotel}, [good evening|how may I help|reception speaking].",
            "A: [May I book|Do you have] a room for {count} nights[, please|]? [The name is {A}|I'm {A}].",
            "B: [From which day|Starting when|When do you arrive]?")
        g.settle("A", "B", "day")
        g.say("A?0.6: [We want a room with|Is there a room with|I'd love] {wish}.")
        asked = g.values["wish"] in g.turns[-1][1]
        g.settle("B", "A", "price")
        g.chat("A", "B", 0.2)
        g.revise()
        g.goodbye("A", "B")
        if asked:
            g.summary("{A} books a room with {wish} at {hotel} for {count} nights from {day} at {price} a night.")
        else:
            g.summary("{A} books a room at {hotel} for {count} nights from {day} at {price} a night.")
        return
    g.set(trouble=w.APPLIANCES, fault=w.APPLIANCE_FAULTS, new_room="room_number")
    g.say(
        "A: [Hello|Hi|Excuse me], [{A} here|this is {A}], room {room} [at {hotel}|]. The {trouble} in my room "
        "{fault}.",
        "B: {hotel} [apologizes|is very sorry], {A}. [I'll send someone.|I can send a technician.|Shall I send "
        "someone up?]")
    g.chat("B", "A", 0.2)
    if g.chance(0.5):
        g.say(
            "A: [No, I want another room|I'd rather change rooms|Can I have a different room]?",
            "B: [Of course|Sure]. [Room {new_room} is free|You can have room {new_room}|Take room {new_room}].")
        g.goodbye("A", "B")
        g.summary("In {A}'s room {room} at {hotel} the {trouble} {fault}, so {A} moves to room {new_room}.")
    else:
        g.settle("B", "A", "time")
        g.revise()
        g.goodbye("A", "B")
        g.summary("In {A}'s room {room} at {hotel} the {trouble} {fault}. A technician will come at {time}.")


def job_interview(g):
    g.set(job=w.JOBS, shop=w.SHOPS, day="day", time="office", boss="titled", bring=w.BRING, address="address",
          salary="salary")
    g.say(
        "B: [Hello|Good morning|Hi], [is this {A}|am I speaking with {A}]? [My name is {B}|This is {B}|{B} "
        "here], [calling from|from] {shop}. [We received your application|You applied for a job|Thank you for "
        "applying] as {an:job}.",
        "A: [Yes, thank you for calling|Yes, that's me|Oh, hello|I was hoping you would call]!",
        "B: [We'd like to invite you|We want to meet you|You made our short list] [for an interview|]. [You "
        "would talk to|You will meet|The interview is with] {boss}.")
    g.settle("B", "A", "day")
    g.settle("B", "A", "time")
    g.chat("A", "B", 0.2)
    ending = g.dice.below(4)
    if ending == 0:
        g.say("B: [Please bring|Don't forget|We need] {bring}.", "A: [I will|Of course|Gladly].")
    elif ending == 1:
        g.say(
            "A: [Where is it|Where do I go|What's the address]?",
            "B: [It's at {address}|{address}|Come to {address}, third floor].")
    elif ending == 2:
        g.say(
            "A: [May I ask about the pay|What does the job pay|How much is it an hour]?",
            "B: [We pay|It starts at|The offer is] {salary} an hour.",
            "A: [That sounds fair|Good to know|I hoped for more, but okay].")
    g.revise()
    g.goodbye("A", "B")
    base = "{B} from {shop} invites {A} to an interview as {an:job} with {boss} on {day} at {time}"
    g.summary(
        base + ['. {A} should bring {bring}.', ', at {address}.', '. The job pays {salary} an hour.', '.'][ending])


def flat_viewing(g):
    g.set(address="address", rent="rent", day="weekday", time="evening", good=w.FLAT_GOOD, bad=w.FLAT_BAD)
    g.say(
        "A: [Hello|Hi], [my name is {A}|I'm {A}|this is {A}]. [I saw your ad|I'm calling about|I'm interested "
        "in] the flat at {address}. [Is it still free|Is it still available]?",
        "B: [Yes, it is|It is|So far, yes]. [I'm {B}, the owner|My name is {B}|{B} here, I manage the house]. It "
        "has {good}.",
        "A: [And the rent|How much is it a month|What's the rent]?")
    g.settle("B", "A", "rent")
    g.chat("A", "B", 0.2)
    ending = g.dice.below(4)
    if ending == 0:
        g.say(
            "A: [Are there any problems|Is there a catch|Anything I should know]?",
            "B: [Well, there is|To be honest, it has|I must admit, there is] {bad}.",
            "A: [Then it's not for me|Oh, that won't do|Sorry, I can't live with that].")
        g.revise()
        g.summary(
            "{A} asks {B} about the flat at {address} for {rent} a month, but does not want it because of {bad}.")
        return
    g.say("A: [Can I see it?|When can I have a look?|I'd like to visit it.]")
    g.settle("B", "A", "day")
    g.settle("B", "A", "time")
    if ending == 1:
        g.set(pet=w.PETS)
        g.say(
            "A: [I have a {pet}|Is a {pet} allowed|Would my {pet} be a problem]?",
            "B: [A {pet} is fine|No problem, I like animals|That's okay with me].")
    g.revise()
    g.goodbye("A", "B")
    if ending == 1:
        g.summary("{A} will visit {B}'s flat at {address} for {rent} a month on {day} at {time}. A {pet} is allowed.")
    else:
        g.summary("{A} will visit {B}'s flat at {address} with {good} for {rent} a month on {day} at {time}.")


def lost_property(g):
    g.set(color=w.COLORS, item=w.LOST, spot=w.LOST_SPOTS, day="weekday", time="office", fee="small_price")
    g.title("B", "[Lost property office|Clerk|Caretaker|Information desk]")
    g.say(
        "A: [Hello|Hi|Excuse me], [I'm {A}|{A} is my name], I [lost|left|forgot] my {color} {item} {spot}[ on "
        "{day}| last {day}|, it was {day}].",
        "B: [Let me check|One moment, please|I'll have a look|We get many of those].")
    if g.chance(0.4):
        g.set(color2=w.COLORS, item2=w.LOST)
        g.say(
            "B: [We only have|There is] {an:color2} {item2}.",
            "A: [No, mine is {color}|That's not mine|No, it's a {item}].")
    g.chat("A", "B", 0.2)
    if g.chance(0.55):
        g.say(
            "B: [Ah, here it is|We do have it|Yes, someone handed it in]. [You can pick it up|Collect it|Come "
            "by] [until {time}|before {time}|by {time}]. [The fee is {fee}|That costs {fee}|There is a fee of "
            "{fee}].",
            "A: [I'll be there|I'm coming|What a relief, thanks].")
        g.summary("{A} lost {an:color} {item} {spot}. It was found and can be picked up by {time} for {fee}.")
    else:
        g.set(back="weekday")
        g.say(
            "B: [Nothing yet|Sorry, it is not here|I can't find it]. [Try again|Ask again|Call again] on {back}.",
            "A: [Okay, I will|What a pity|Thanks anyway].")
        g.summary(
            "{A} lost {an:color} {item} {spot} on {day}. It was not found yet, so {A} should ask again on {back}.")


def course_sign_up(g):
    g.set(course=w.COURSES, day="weekday", time="evening", price="price", teacher="titled", room=w.ROOMS)
    g.title("B", "[Secretary|Office|Course desk|School]")
    g.say(
        "A: [Hi|Hello], I'm {A}. [I'd like to join the {course}, please.|Can I sign up for the {course}?|Is "
        "there still room in the {course}?|I want to take the {course}.]",
        "B: [Gladly|Yes, there are places left|You're lucky]. [{teacher} teaches it|The teacher is {teacher}|It "
        "is taught by {teacher}].")
    g.say("A: [On which day is it|When is it|What are the days]?")
    g.settle("B", "A", "day")
    g.settle("B", "A", "time")
    g.chat("A", "B", 0.25)
    g.say("A: [And the fee|How much is the course|What does it cost]?")
    g.settle("B", "A", "price")
    g.revise()
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "A: [Where is it|In which room|Where do we meet]?",
            "B: [In {room}|It takes place in {room}|Come to {room}].")
        g.summary("{A} joins {teacher}'s {course} on {day} at {time} in {room} for {price}.")
    elif ending == 1:
        g.set(friend="name")
        g.say(
            "A: [My friend {friend} wants to come too|Can {friend} come along|Please put {friend} on the list as "
            "well].",
            "B: [Sure, I'll add {friend}|Two places then|Done].")
        g.summary("{A} and {friend} join {teacher}'s {course} on {day} at {time} for {price}.")
    else:
        g.say(
            "A: [That's too late for me|That's too much for me at the moment|I'll have to ask at work first]. "
            "[Maybe next year|I'll wait for the next one|Not this time].",
            "B: [What a pity|Too bad|Alright, next time].")
        g.summary("{A} asks about {teacher}'s {course} on {day} at {time} for {price}, but does not join.")
        return
    g.goodbye("A", "B")


COUNTER_SCENES = [table_booking, doctor_visit, show_tickets, lost_luggage, shop_return, home_repair, car_repair,
                  parcel_delivery, trip_ticket, hotel_stay, job_interview, flat_viewing, lost_property, course_sign_up]
