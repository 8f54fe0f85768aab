# SPDX-License-Identifier: Apache-2.0
"""Scenes among people who know each other, two to four of them: parties, trips, school, work, pets, chores."""

import words as w


def party_plan(g):
    g.set(party=w.PARTIES, host="name", day="day", time="evening", dish=w.DISHES, dish2=w.DISHES, drink=w.DRINKS,
          need=w.PARTY_NEEDS)
    g.say(
        "A: [Hey everyone|Hi all|Guys|Hello you two], [we need to plan|let's talk about|it's time to plan] the "
        "{party} for {host}[!|.]",
        "B: [Good that you ask|Yes, finally|I'm so excited|Right]. [Which day|When is it|What day is best]?")
    g.settle("A", "B", "day")
    g.chat("C", "B", 0.3)
    g.say("C: [What time|And when does it start|When should we come]?")
    g.settle("A", "C", "time")
    g.say(
        "B: [Who brings what|What about food|And the food]?",
        "C: I [can make|will bring|could do|make] {dish}[, everybody likes it|, as always|].")
    if g.chance(0.4):
        g.set(wrong=w.DISHES)
        g.say(
            "A: [Not again|You made that last year|I'm allergic to that|{dish}? Too heavy]! [What about|How "
            "about|Better] {dish2}?",
            "C: [Fine|Okay|Alright], {dish2}.")
        g.values["dish"] = g.values["dish2"]
    g.say("B: [I'll take care of|Then I get|I'll bring|I'm bringing] {need}.", "A?0.5: [And I buy|I'll get] {drink}.")
    drinks = g.values["drink"] in g.turns[-1][1]
    g.revise()
    g.goodbye("C", "A")
    if drinks:
        g.summary(
            "{A}, {B} and {C} plan {an:party} for {host} on {day} at {time}. {A} brings {drink}, {B} brings "
            "{need} and {C} brings {dish}.")
    else:
        g.summary(
            "{A}, {B} and {C} plan {an:party} for {host} on {day} at {time}. {B} brings {need} and {C} brings "
            "{dish}.")


def gift_idea(g):
    g.set(friend="name", gift=w.GIFTS, budget="price", buyer="name", shop=w.SHOPS, day="weekday", party=w.PARTIES)
    g.say(
        "A: [What shall we give {friend}|Any ideas for {friend}|Did you know that {friend}'s {party} is soon]? "
        "[We need a gift|I have no idea|It's getting late].",
        "B: [Good question|Let's think|I have no clue|Hard to say].")
    g.settle("A", "B", "gift", 0.3, 0.25)
    g.chat("B", "A", 0.25)
    g.settle("B", "A", "budget", table="budget")
    many = g.chance(0.5)
    if many:
        g.say(
            "C: [I'm in|Count me in|I'll join you]. [I can pick it up|I'll buy it|Let me get it] at {shop} on "
            "{day}.",
            "A: [Great, thanks {C}|Perfect|You're the best].")
    else:
        g.say(
            "A: [Who gets it|Who buys it]?",
            "B: [I'll go to {shop}|I pass by {shop} anyway|I'll order it from {shop}] on {day}.",
            "A: [Wonderful|Thanks|Super].")
    g.revise()
    if many:
        g.summary("{A}, {B} and {C} give {friend} {gift} for {budget}. {C} will buy it at {shop} on {day}.")
    else:
        g.summary("{A} and {B} give {friend} {gift} for {budget}. {B} will buy it at {shop} on {day}.")


def weekend_trip(g):
    g.set(city=w.CITIES, day="day", count="count", lodging=w.LODGINGS, thing=w.TRIP_THINGS, ride=w.ROUTE_KINDS,
          time="morning", budget="budget")
    g.say(
        "A: [Where shall we go|We should travel again|I need a holiday|Let's get away], {B}!",
        "B: [Great idea|I'm in|Yes, please|Finally].")
    g.settle("A", "B", "city", 0.35, 0.25)
    g.say("B: [When do we leave|Which day|When]?")
    g.settle("A", "B", "day")
    g.chat("B", "A", 0.25)
    g.say(
        "A: [There is|They have|I read about] {thing}[ there|], [we must see it|I want to go there|that's a must].",
        "B?0.6: [Sounds great|I'd love that|Lovely].")
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "B: [Where do we sleep|And where do we stay]?",
            "A: [I found|I'll book|Let's take] {an:lodging} [for {count} nights|, {count} nights].",
            "B: [Perfect|That's fine|Okay].")
        g.revise()
        g.summary(
            "{A} and {B} travel to {city} on {day}, stay in {an:lodging} for {count} nights and want to see "
            "{thing}.")
    elif ending == 1:
        g.say(
            "B: [How do we get there|Do we drive]?",
            "A: [No, we take|Let's take|By] the {ride} [at {time}|that leaves at {time}].",
            "B: [So early|I'll set the alarm|Fine].")
        g.revise()
        g.summary("{A} and {B} take the {ride} to {city} on {day} at {time} and want to see {thing}.")
    else:
        g.say("B: [How much will it cost|Can we afford it|What's the budget]?")
        g.settle("A", "B", "budget", table="budget")
        g.revise()
        g.summary("{A} and {B} travel to {city} on {day} with a budget of {budget} and want to see {thing}.")


def meet_up(g):
    g.set(hobby=w.HOBBIES, day="day", time="time", spot=w.MEET_SPOTS, third="name", excuse=w.EXCUSES)
    g.say(
        "A: [Hey {B}|Hi {B}|Hello {B}|{B}], [are you free this week|do you have time|how about {hobby}|fancy "
        "{hobby}]?",
        "B: [Hi {A}|Hey|Oh, hello]! [Depends.|What do you have in mind?|Sure, why not?|Tell me more.]")
    if g.values["hobby"] not in " ".join(turn[1] for turn in g.turns):
        g.settle("A", "B", "hobby", 0.4, 0.15)
    g.settle("B", "A", "day")
    g.settle("A", "B", "time")
    g.chat("A", "B", 0.3)
    g.say("B: [Where do we meet|Where|And where shall I wait]?")
    g.settle("A", "B", "spot", 0.6, 0.15)
    g.revise()
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "A: [Can I bring {third}|{third} wants to come too|I'll ask {third} to join us].",
            "B: [Sure|The more the merrier|Of course, I like {third}].")
        g.summary("{A} and {B} meet for {hobby} on {day} at {time} at {spot}. {third} will come along.")
    elif ending == 1:
        g.say(
            "B: [Does {third} come too|Shall I ask {third}]?",
            "A: [No, {third} is ill|{third} has no time|No, {third} is away].")
        g.summary("{A} and {B} meet for {hobby} on {day} at {time} at {spot}, without {third}.")
    else:
        g.goodbye("A", "B")
        g.summary("{A} and {B} meet for {hobby} on {day} at {time} at {spot}.")


def running_late(g):
    g.set(spot=w.MEET_SPOTS, excuse=w.EXCUSES, minutes="minutes", time="time", old="time")
    g.say(
        "A: {B}, [where are you|where have you been|are you coming]? [I'm at|I'm standing at] {spot}[ since "
        "{old}|, it's {old} already|].",
        "B: [I'm so sorry|Sorry|Oh no, I know], [there is|it's because of|I had|I was held up by] {excuse}.",
        "A: [How long will you need|When will you be here|What now]?")
    g.chat("A", "B", 0.15)
    ending = g.dice.below(3)
    if ending == 0:
        g.settle("B", "A", "minutes", 0.5, 0.2)
        g.revise()
        g.say("A: [I'll get a coffee|Fine, I'll wait inside|Don't run, I'll wait].")
        g.summary("{B} is {minutes} late because of {excuse}, and {A} waits at {spot}.")
    elif ending == 1:
        g.say("A: [Then let's meet later|We can do it later|Shall we postpone it]?")
        g.settle("A", "B", "time")
        g.revise()
        g.summary("{B} is late because of {excuse}, so {A} and {B} will meet at {spot} at {time} instead.")
    else:
        g.set(day="weekday")
        g.say(
            "B: [I won't make it today|I have to go home|It makes no sense today]. [Another day|Can we do it "
            "another day]?")
        g.settle("A", "B", "day")
        g.revise()
        g.summary("{B} cannot come to {spot} because of {excuse}, so {A} and {B} will meet on {day} instead.")


def homework(g):
    g.set(subject=w.SUBJECTS, task=w.TASKS, topic=w.TOPICS, day="day", pages="pages", teacher="titled",
          chapter="chapter", time="time", spot=w.MEET_SPOTS)
    g.say(
        "A: {B}, [did you write down|do you remember|what was|do you know] the {subject} homework?",
        "B: [Yes|Sure|Let me look|I think so], [{teacher} wants|we have to do|it's|{teacher} gave us] {an:task} "
        "[on|about] {topic}[, not the one from chapter {chapter}|].")
    g.say("A: [When is it due|By when|When do we have to hand it in]?")
    g.settle("B", "A", "day", table="deadline")
    g.chat("A", "B", 0.3)
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "A: [How long should it be|How many pages]?",
            "B: {pages} pages[, I think|, no more|].",
            "A: [That's a lot|Oh no|Okay].")
        g.revise()
        g.summary(
            "{A} and {B} have to finish {an:task} about {topic} for {subject} by {day}. It must have {pages} pages.")
    elif ending == 1:
        g.say("A: [Shall we work together?|Can you help me?|Let's do it together.] [When|What time]?")
        g.settle("B", "A", "time")
        g.say("B: [Come to|Meet me at|Let's meet at] {spot}.")
        g.revise()
        g.summary(
            "{A} and {B} have {an:task} about {topic} for {subject} due on {day} and will work together at "
            "{spot} at {time}.")
    else:
        g.say(
            "A: [I have to ask {teacher} for more time|I won't manage that|I'm ill, I can't]. [Can you tell "
            "{teacher}|Would you tell {teacher}]?",
            "B: [Sure|I'll tell {teacher}|Okay, get well].")
        g.revise()
        g.summary("{A} cannot finish {an:task} about {topic} for {subject} by {day}, and {B} will tell {teacher}.")


def office_meeting(g):
    g.set(topic=w.MEETING_TOPICS, day="day", time="office", room=w.ROOMS, guest="titled", absent="name",
          minutes="minutes")
    g.say(
        "A: [We need a meeting|Let's sit together|I want to talk|We have to talk] about {topic}.",
        "B: [Agreed|Yes, it's urgent|Fine with me|If we must]. [When|Which day]?")
    g.settle("A", "B", "day")
    g.settle("B", "A", "time")
    group = g.chance(0.5)
    if group:
        g.say("C: [Where|Which room|Is there a room]?", "A: [I booked|We'll be in|Let's take] {room}.")
    else:
        g.settle("A", "B", "room", 0.5, 0.15)
    g.chat("B", "A", 0.25)
    ending = g.dice.below(3)
    if ending == 0:
        g.say(
            "B: [Should we invite {guest}|{guest} should be there|Shall I ask {guest}]?",
            "A: [Yes, please do|Good idea|Yes, invite {guest}].")
    elif ending == 1 and group:
        g.say(
            "C: [I can't make it|I'm on holiday then|I'll be away]. [Can you send me notes?|Please take notes.]",
            "B: [I'll write the notes|I'll send them to you|Of course, {C}].")
    g.revise()
    base = "{A} and {B} will discuss {topic} on {day} at {time} in {room}."
    if ending == 0:
        g.summary(base[:-1] + ", and {guest} will be invited.")
    elif ending == 1 and group:
        g.summary(base + " {C} cannot come and gets notes from {B}.")
    elif group:
        g.summary("{A}, {B} and {C}" + base[11:])
    else:
        g.summary(base)


def pet_sitting(g):
    g.set(pet=w.PETS, pet_name=w.PET_NAMES, day="weekday", until="weekday", care=w.PET_CARE, price="small_price",
          city=w.CITIES)
    g.say(
        "A: {B}, [could you look after|can you take|would you mind watching] [my {pet} {pet_name}|{pet_name}, my "
        "{pet}|{pet_name}]? [I'm going to|I have to go to|I'm flying to] {city}.",
        "B: [I love your {pet}|Your {pet} is so sweet|The {pet} again|A {pet}, hmm]! [When do you leave|From "
        "when|Which days]?")
    g.settle("A", "B", "day")
    g.say("B: [And until when|When are you back|And you come back]?")
    g.settle("A", "B", "until")
    g.chat("B", "A", 0.2)
    ending = g.dice.below(3)
    if ending < 2:
        g.say(
            "B: [Anything special|What does {pet_name} need|What should I know]?",
            "A: {pet_name} [needs|gets|likes] {care}[, that's important|, nothing else|].")
        g.revise()
        g.goodbye("A", "B")
        g.summary("{B} will look after {A}'s {pet} {pet_name} from {day} until {until}. {pet_name} needs {care}.")
    else:
        g.set(other="name")
        g.revise()
        g.say(
            "B: [Oh no, I just saw that I'm away myself|Sorry, my landlord won't allow it|I'm allergic, I'm "
            "afraid]. [Ask {other}|{other} could do it|But {other} would love to].",
            "A: [Good idea, I'll call {other}|Okay, I'll ask {other}|Thanks, I'll try {other}].")
        g.summary("{B} cannot look after {A}'s {pet} {pet_name} from {day} until {until}, so {A} will ask {other}.")


def chores_split(g):
    g.set(one=w.CHORES, two=w.CHORES, three=w.CHORES, day="weekday", guest="name", time="time")
    g.say(
        "A: [The flat is a mess|Look at this place|We have to clean up|This can't go on]! [{guest} is "
        "coming|{guest} visits us|We expect {guest}] [soon|this week].",
        "B: [When exactly|When|Which day]?")
    g.settle("A", "B", "day")
    g.say("B: [Who does what|Let's split it|How do we split the work]?")
    three = g.chance(0.5)
    g.say("A: [So I do|I'd like|Then I take|I'll do] {one}[, as always|, I hate the rest|].")
    g.say("B: [I take|I'll do|Then I do|Leave] {two}[.| to me.]")
    g.chat("A", "B", 0.25)
    if three:
        g.say(
            "C: [And I|What about me|I want to help too].",
            "A: [You can do|You get|Please do] {three}.",
            "C: [Okay|Fine|If I must], {three}.")
    g.revise()
    if three:
        g.summary("{guest} comes on {day}, so {A} does {one}, {B} does {two} and {C} does {three}.")
    else:
        g.summary("{guest} comes on {day}, so {A} and {B} clean up: {A} does {one} and {B} does {two}.")


def used_sale(g):
    g.set(item=w.GOODS, color=w.COLORS, price="price", day="weekday", time="evening", spot=w.MEET_SPOTS)
    g.say(
        "A: [Hi|Hello], [I saw your ad|I'm interested in your ad|it's about the ad], [my name is {A}|I'm {A}|{A} "
        "here]. [Is the {color} {item} still there|Do you still have the {color} {item}]?",
        "B: [Yes, it is|Still here|Yes, hi {A}, I'm {B}]. [It's like new|Hardly used|In good shape].",
        "A: [How much do you want|What's the price|And the price]?")
    g.settle("B", "A", "price", 0.3)
    g.chat("A", "B", 0.2)
    if g.chance(0.75):
        g.say("A: [When can I pick it up|When shall we meet|Can I get it soon]?")
        g.settle("B", "A", "day")
        g.settle("B", "A", "time")
        g.say("B: [We can meet at|Come to|I'll wait at] {spot}.")
        g.revise()
        g.summary("{A} buys {B}'s {color} {item} for {price}. They will meet on {day} at {time} at {spot}.")
    else:
        g.revise()
        g.say(
            "A: [Hmm, that's still too much|I can't spend that|No, sorry]. [I'll keep looking|I'll look "
            "elsewhere|Then not].",
            "B: [Your choice|Okay|Good luck].")
        g.summary("{A} is interested in {B}'s {color} {item}, but {price} is too much, so {A} keeps looking.")


def school_call(g):
    g.set(child="name", subject=w.SUBJECTS, day="day", time="office", room="room_number", ail=w.AILMENTS,
          teacher="titled")
    g.title("B", "{teacher}")
    g.say(
        "A: [Good morning|Hello], {teacher}, [this is {A}|{A} here], {child}'s [parent|guardian|parent].",
        "B: [Good morning|Hello], {A}. [What can I do for you?|How is {child}?|I wanted to call you too.]")
    if g.chance(0.5):
        g.say(
            "A: {child} [has|woke up with|is in bed with] {ail} and [can't come to school|has to stay home|must "
            "rest].",
            "B: [Get well soon|I'm sorry to hear that|Poor {child}]. [Until when|How long|When will {child} be "
            "back]?")
        g.settle("A", "B", "day")
        g.chat("A", "B", 0.2)
        g.set(friend="name")
        g.say(
            "B: [{friend} can bring the homework|I'll give the homework to {friend}|{friend} will take the "
            "homework along].",
            "A: [That's kind|Thank you|Great].")
        g.revise()
        g.summary(
            "{A} tells {teacher} that {child} has {ail} and will be back on {day}. {friend} brings the homework.")
    else:
        g.say(
            "B: {child} [has trouble in|is falling behind in|doesn't do the homework in|sleeps in] {subject}. "
            "[We should talk.|I'd like to talk to you.|Can you come in?]",
            "A: [Oh no|I had no idea|Of course]. [When|Which day]?")
        g.settle("B", "A", "day")
        g.settle("B", "A", "time")
        g.chat("A", "B", 0.15)
        g.say("B: [Come to room {room}|Room {room}, please|I'm in room {room}].")
        g.revise()
        g.summary(
            "{A} will talk to {teacher} about {child}'s trouble in {subject} on {day} at {time} in room {room}.")


def dinner_choice(g):
    g.set(dish=w.DISHES, drink=w.DRINKS, time="evening", cook="name", place="place", price="small_price")
    g.say(
        "A: [What's for dinner|What shall we eat tonight|Are you hungry], {B}?",
        "B: [No idea|Good question|I'm starving].")
    if g.chance(0.5):
        g.settle("A", "B", "dish", 0.3, 0.25)
        g.chat("A", "B", 0.25)
        g.say(
            "B: [Who cooks|And who cooks]?",
            "A: [I cook|I'll do it|I make it], [you buy|you get|can you bring] {drink}?",
            "B: [Sure|Okay, {drink}|Will do]. [What time|When do we eat]?")
        g.settle("A", "B", "time")
        g.revise()
        g.summary("{A} cooks {dish} for dinner at {time}, and {B} buys {drink}.")
    else:
        g.say("A: [Let's order|Let's eat out|I don't want to cook].")
        g.settle("B", "A", "place", 0.3, 0.2)
        g.chat("A", "B", 0.25)
        g.say(
            "A: [I'll have|I want|I take] {dish}, [it's {price}|for {price}|only {price}].",
            "B: [And I just want|I only need|For me just] {drink}. [What time|When]?")
        g.settle("A", "B", "time")
        g.revise()
        g.summary("{A} and {B} eat at {place} at {time}. {A} wants {dish} for {price} and {B} wants {drink}.")


def moving_help(g):
    g.set(parcel=w.PARCELS, address="address", day="day", time="morning", car=w.CARS, helper="name", dish=w.DISHES)
    g.say(
        "A: [I'm moving|I finally got the flat|We move house], [I hope you can help me|please help me|I need "
        "strong arms]!",
        "B: [Congratulations|Sure|Great news]. [Where to|What's the new address]?",
        "A: [To|It's|The new place is] {address}.",
        "C?0.7: [When is it|Which day|When do you need us]?")
    g.settle("A", "B", "day")
    g.settle("A", "B", "time")
    g.say(
        "C: I [can bring|have|can borrow|could get] {an:car}.",
        "A: [Great|That helps a lot|Wonderful]. [The {parcel} is heavy|Mind the {parcel}|We must carry "
        "{an:parcel}].")
    g.chat("B", "C", 0.2)
    if g.chance(0.4):
        g.say(
            "B: [Is {helper} coming|Does {helper} help too]?",
            "A: [No, {helper} has a bad back|No, {helper} is away|{helper} can't].")
    if g.chance(0.4):
        g.say(
            "A: [There will be {dish} for everyone|Afterwards we have {dish}|I'll make {dish} for you].",
            "B: [Now you have me|I'm there|Yummy].")
        g.revise()
        g.summary(
            "{B} and {C} help {A} move to {address} on {day} at {time}. {C} brings {an:car}, and {A} makes {dish}.")
    else:
        g.revise()
        g.summary("{B} and {C} help {A} move to {address} on {day} at {time}. {C} brings {an:car}.")


def four_friends(g):
    g.set(show=w.SHOWS, day="day", time="evening", price="ticket_price", spot=w.MEET_SPOTS, excuse=w.BUSY)
    g.say(
        "A: [Who wants to come|Who is in|Anyone interested]? [I want to go to the|I want to see the|I have "
        "tickets for the] {show}.",
        "B: [Me|I'm in|Count me in|Sounds fun]!",
        "C: [Me too|I'd love to|Why not]. [When is it|Which day]?")
    g.settle("A", "C", "day")
    g.chat("B", "C", 0.2)
    g.say(
        "D: [I can't|Sorry, not me|I have to pass], I have {excuse}.",
        "B?0.5: [What a pity|Too bad, {D}|Next time, {D}].")
    g.say("C: [What time do we meet|When shall we meet|And what time]?")
    g.settle("A", "B", "time")
    if g.chance(0.5):
        g.say("B: [How much is it|What does it cost]?")
        g.settle("A", "B", "price", 0.6)
        g.revise()
        g.summary("{A}, {B} and {C} go to the {show} on {day} at {time} for {price} each. {D} has {excuse}.")
    else:
        g.say("C: [Where|And where]?", "A: [At|In front of|Let's say] {spot}.")
        g.revise()
        g.summary("{A}, {B} and {C} go to the {show} on {day} and meet at {time} at {spot}. {D} has {excuse}.")


FRIEND_SCENES = [party_plan, gift_idea, weekend_trip, meet_up, running_late, homework, office_meeting, pet_sitting,
                 chores_split, used_sale, school_call, dinner_choice, moving_help, four_friends]
