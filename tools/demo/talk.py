# SPDX-License-Identifier: Apache-2.0
"""One dialogue in the making: its speakers, its values, its turns, and the phrases every domain shares.

A scene (scenes.py, more_scenes.py) is a function that takes a `Talk`, gives it values (`Talk.set`), lets people speak
(`Talk.say`) and ends with `Talk.summary`. Text is a small grammar: `[a|b|]` is one of its alternatives (they nest),
`{slot}` a value, `{an:slot}` a value with its article. Values of one kind never repeat inside a dialogue, so a value
mentioned in passing can be told from the one that counts.
"""

import random
import re

import words as w


class Dice:
    """Random choices that depend on the seed alone (only random() is used, whose sequence Python guarantees)."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def below(self, count):
        return int(self._random.random() * count)

    def pick(self, options):
        return options[self.below(len(options))]

    def chance(self, probability):
        return self._random.random() < probability


def expand(text, dice):
    """Resolves `[a|b]` alternatives, innermost first."""
    while True:
        match = re.search(r"\[([^\[\]]*)\]", text)
        if match is None:
            return text
        text = text[: match.start()] + dice.pick(match.group(1).split("|")) + text[match.end():]


def with_article(value):
    if value.startswith(("pair of", "set of", "load of")):
        return "a " + value
    return ("an " if value[0].lower() in "aeio" or value.startswith(("umb", "upp", "unr")) else "a ") + value


def tidy(text):
    """Folds blanks and starts sentences with a capital."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([,.?!])", r"\1", text)
    text = re.sub(r"([,.?!])[.,](?=\s|$)", r"\1", text)
    return re.sub(r"(^|(?<=[a-z0-9)][.?!] ))([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def dollars(price):
    return float(price[1:])


def clock(first, last):
    """A maker of times of day between two hours (24-hour clock)."""

    def make(dice):
        hour = first + dice.below(last - first + 1)
        minute = dice.pick(["00", "00", "15", "30", "30", "45", "10", "20", "40", "50"])
        return f"{(hour - 1) % 12 + 1}:{minute} {'am' if hour < 12 else 'pm'}"

    return make


def money(low, high, step=1):
    """A maker of dollar prices."""
    return lambda dice: f"${low + step * dice.below((high - low) // step + 1)}"


def cents(low, high):
    """A maker of small prices."""
    ends = ["20", "25", "40", "50", "75", "80", "90", "99"]
    return lambda dice: f"${low + dice.below(high - low + 1)}.{dice.pick(ends)}"


def number(low, high, prefix=""):
    return lambda dice: f"{prefix}{low + dice.below(high - low + 1)}"


def day(dice):
    if dice.chance(0.7):
        return dice.pick(w.DAYS)
    return f"{dice.pick(w.MONTHS)} {1 + dice.below(28)}"


def place(dice):
    return f"the {dice.pick(w.PLACE_ADJECTIVES)} {dice.pick(w.PLACE_NOUNS)}"


def address(dice):
    return f"{1 + dice.below(99)} {dice.pick(w.STREETS)}"


def titled(dice):
    return f"{dice.pick(['Dr.', 'Mr.', 'Mrs.', 'Ms.'])} {dice.pick(w.SURNAMES)}"


def doctor(dice):
    return f"Dr. {dice.pick(w.SURNAMES)}"


def service_code(dice):
    return f"{dice.pick('ABCDEFGHKLMNPRST')}{10 + dice.below(90)}"


MAKERS = {
    "time": clock(8, 20), "morning": clock(8, 11), "office": clock(9, 17), "evening": clock(17, 21), "day": day,
    "weekday": lambda dice: dice.pick(w.DAYS), "month": lambda dice: dice.pick(w.MONTHS),
    "count": lambda dice: dice.pick(w.NUMBERS), "place" : place, "address" : address, "titled" : titled, "doctor" :
             doctor,
    "code": service_code, "name": lambda dice: dice.pick(w.FIRST_NAMES), "small_price": cents(2, 39),
    "price": money(15, 180), "ticket_price": money(12, 140), "fare": money(19, 260), "rent": money(600, 1950, 50),
    "salary": money(15, 48), "room_number": number(101, 399), "platform": number(1, 24), "bus": number(2, 89),
    "percent": lambda dice: f"{5 * (1 + dice.below(12))} percent", "pages": number(3, 40), "chapter": number(2, 30),
    "minutes": lambda dice: f"{5 * (1 + dice.below(11))} minutes", "budget": money(200, 950, 25),
}

FAMILY = {"morning": "time", "office": "time", "evening": "time", "weekday": "day", "small_price": "price",
          "ticket_price": "price", "fare": "price", "rent": "price", "salary": "price", "budget": "price",
          "month": "month", "doctor": "titled"}

FILLERS = ["Hmm.", "Let me see.", "Well, well.", "Oh.", "One moment.", "You know what?", "Let me think.", "Ah.",
           "Listen.", "Erm.", "Hang on.", "Sorry, I was distracted.", "Ahem."]

SMALL_TALK = [
    ["{p}: [By the way,|Before I forget,|Oh,] {x_name} [says hello|sends regards|asked about you].",
     "{q}: [How kind|That's nice|Lovely]. [Say hello back|Give my regards|I should call soon]."],
    ["{p}: [The traffic was terrible today|I was stuck in traffic], [it took me {x_minutes}|I lost {x_minutes}] [to "
     "get here|on the way].",
     "{q}: [Oh no|Poor you|Same here]. [That road is always full|It gets worse every week]."],
    ["{p}: [Did you see the game last night|Did you watch the match]? It [ended|finished] at {x_time}.",
     "{q}: [No, I fell asleep|I missed it|Yes, what a night]."],
    ["{p}: [I paid|They charged me] {x_price} for parking [today|this morning|again].",
     "{q}: [Unbelievable|That's crazy|What a rip-off]. [I take the bus|I always walk]."],
    ["{p}: [It's raining cats and dogs|What weather|It's so hot today|It's freezing outside|What a lovely day].",
     "{q}: [Yes, and {x_day} will be worse|They say it gets better by {x_day}|I heard {x_day} will be fine]."],
    ["{p}: [How is the family|How are the kids|How is everybody at home]?",
     "{q}: [All well, thanks|Fine, thank you|Busy as always]. {x_name} [just started school|has a new job|is moving "
     "to {x_city}]."],
    ["{p}: [How was your trip to|How did you like|Did you enjoy] {x_city}?",
     "{q}: [Wonderful|Too short|A bit rainy], [but the hotel cost {x_price} a night|I would go back any time|and "
     "{x_name} loved it]."],
    ["{p}: [Is that a new jacket|I like your hat|Nice shoes]!",
     "{q}: [Thanks|Oh, thank you], [it was only {x_price}|I got it from {x_name}|I bought it in {x_city}]."],
    ["{p}: [My phone died|I got up] at {x_time} [today|this morning].", "{q}: [Oh dear|That happens|Ouch]."],
    ["{p}: [I still can't believe|Have you heard that] {x_name} [got married|moved to {x_city}|won the lottery|"
     "bought a boat].",
     "{q}: [Really|No way|Wow]! [When was that|I had no idea|Good for them]!"],
    ["{p}: [I tried|We went to] {x_place} on {x_day}.",
     "{q}: [And|How was it]? [I heard the soup is good|I heard it is overpriced|My sister loves it]."],
    ["{p}: [The coffee here is great|I need a coffee|This tea is cold].",
     "{q}: [Yes, but {x_price} a cup|Me too|I had three already]!"],
    ["{p}: [My dog kept me up|The neighbors were loud|I slept badly] [all night|until {x_time}].",
     "{q}: [You look fine|Poor thing|Get some rest]."],
    ["{p}: [I'm reading a great book about|I watched a film about] {x_topic}.",
     "{q}: [Sounds interesting|I'm more into {x_topic2}|Tell me the title later]."],
]

SMALL_KINDS = {"x_name": "name", "x_minutes": "minutes", "x_time": "time", "x_price": "price", "x_day": "day",
               "x_city": w.CITIES, "x_place": "place", "x_topic": w.TOPICS, "x_topic2": w.TOPICS}

PROPOSE = {
    "time": ["[How about|What about|Could we say|Shall we say] {s}?",
             "[Would {s} work|Does {s} suit you|Would {s} be okay|Does {s} work for you]?",
             "I [could do|was thinking of|would prefer] {s}.", "[Let's say|Say] {s}?",
             "Is {s} [okay|alright|possible|fine]?"],
    "deadline": ["[By|On] {s}.", "[I think|I believe|As far as I know,] it's due [on|by] {s}.",
                 "{s}, [I think|if I remember well|at the latest]."],
    "budget": ["[Let's spend|I'd say|I can spend|We have] {s}.", "{s}[, not more| in total|, I'd say|]."],
    "paid": ["[I paid|It cost|It was] {s}.", "{s}[, it says here|, I think|]."],
    "price": ["[It is|That would be|I'd ask] {s}.", "{s}[, all included|, tax included| in total|].",
              "[I'm asking|It comes to] {s}."],
    "other": ["[How about|What about] {s}?", "I [was thinking of|would go for|would like|prefer] {s}.",
              "[Maybe|Perhaps|Let's say] {s}?"],
}
REJECT = {
    "time": ["[Sorry,|I'm afraid|Oh,] {o} [is no good|won't work|is impossible|is taken|is full]. [How about|What "
             "about|Could we do] {s} [instead|]?",
             "I have {busy} [then|at that time|]. [Could you do|How about|Can we make it] {s} [instead|]?",
             "{o}? [That's difficult|Not really|No, I can't]. [But|] {s} [would work|is possible|is free|suits me "
             "better].",
             "Not {o}, [please|I have {busy}]. {s} [would be better|is fine with me|works]."],
    "deadline": ["{o}? [I wrote down|I heard|The board said] {s}.",
                 "[No, not|It was never] {o}. [It was moved to|It's] {s}."],
    "budget": ["{o} [is too much|is not enough]. [What about|How about|Let's say] {s}?",
               "{o}? [I only have|I'd rather say|Better] {s}."],
    "paid": ["{o}? [My list says|The system says|The bill says|Here I read] {s}."],
    "counter": ["[{o} is too little|I can't go that low|That doesn't cover my costs]. [But I can do|My last word is|"
                "Let's meet at] {s}.",
                "{o}? [Impossible|You must be joking|I'd lose money]. [I could go down to|Make it|Not below] {s}."],
    "price": ["[That's too much|{o} is a lot|I can't pay {o}|That's over my budget]. [Would you take|Can you do|How "
              "about] {s}?",
              "{o}? [The website said|The ad said|I was told|My friend paid] {s}."],
    "other": ["[No, not|Please not|Anything but] {o}. [What about|How about] {s} [instead|]?",
              "{o}? [I had that last time|Not again|Hmm, no]. [Let's take|I'd say|Better] {s}."],
}
ACCEPT = {
    "time": ["{s} [it is|works for me|is perfect|is fine|sounds good|works].",
             "[Great|Perfect|Fine|Okay|Alright|Good|Wonderful], {s} then.",
             "[That works|That's fine|Perfect|Sounds good|Great|I can do that].",
             "[I'll write that down|I'll note that|Noted]: {s}."],
    "deadline": ["[Okay|Oh no|Right|Good], {s}[ then|].", "[Thanks|I see|I'd better start now|So soon]."],
    "budget": ["[Okay|Fine|Deal|Good], {s}.", "[That's fair|Fine with me|Agreed]."],
    "paid": ["[Okay|Alright|Good], {s}[, I see it here|].", "[I found it|Here it is|That's what I have too]."],
    "price": ["[Okay|Fine|Deal|Alright|Good], {s} [it is|then|].",
              "[That's fair|That's fine|Fine by me|I can live with that|Agreed]."],
    "other": ["[Good idea|Great|Perfect|Lovely|Fine], {s}.", "[That sounds good|I like that|Works for me|Why not]."],
}
MISHEARD = ["[Sorry, did you say|Was that|You mean] {o}?", "[So it's|That is|You said] {o}, [right|correct|yes]?"]
CORRECT = ["No, {s}.", "[No, no|Not quite|Sorry, no], I [said|meant] {s}.", "{s}, [not {o}|actually|please]."]
REVISE = {
    "time": ["[Oh wait|Hold on|Actually|One more thing|Sorry], I [just remembered|forgot] {busy}. [Can we change|"
             "Could we move] {o} to {s}?",
             "[Sorry|Wait|Hmm], {o} [clashes with|is the same time as] {busy}. [Is {s} still possible?|Can we make "
             "it {s}?|{s} would be better.]"],
    "deadline": ["[Wait|Sorry|Oh], [I looked at the wrong week|I mixed it up|that was the old date]. It is {s}, not "
                 "{o}."],
    "budget": ["[Actually|Wait|Hmm], {o} [won't do|is wrong]. [Let's make it|I meant|Better] {s}."],
    "paid": ["[Wait|Sorry|Oh], [I read the wrong line|I mixed it up]. It was {s}, not {o}."],
    "price": ["[Wait|Sorry|Oh], [I looked at the wrong line|I made a mistake|that was the old price]. It is {s}, "
              "not {o}."],
    "other": ["[Wait|Actually|On second thought|Hmm], [not|forget] {o}. [Let's go for|Let's take|I want|Make it] "
              "{s}."],
}
AGREE_REVISION = ["[Sure|No problem|Of course|Fine|Okay], [I've changed it|{s} then|{s} it is|that's done].",
                  "[Alright|Yes, that works|Okay], {s}."]


class Talk:
    """A dialogue under construction."""

    def __init__(self, dice):
        self.dice = dice
        self.values = {}
        self.turns = []
        self.ret_summary = None
        self.facts = []
        self._used = {}
        self._kinds = {}
        self._pending = []
        self._label = {}
        for role in "ABCD":
            self.set(**{role: "name"})

    # values

    def set(self, **slots):
        """Gives each slot a fresh value; a kind is a maker's name or a list of words."""
        for slot, kind in slots.items():
            self._kinds[slot] = kind
            self.values[slot] = self._fresh(kind)

    def _fresh(self, kind, above=None, below=None):
        family = FAMILY.get(kind, kind) if isinstance(kind, str) else id(kind)
        used = self._used.setdefault(family, set())
        for _ in range(50):
            value = MAKERS[kind](self.dice) if isinstance(kind, str) else self.dice.pick(kind)
            fits = above is None or dollars(value) > dollars(above)
            fits = fits and (below is None or dollars(value) < dollars(below))
            if value not in used and fits:
                break
        used.add(value)
        return value

    def chance(self, probability):
        return self.dice.chance(probability)

    def title(self, role, label):
        """Lets a role speak under a fixed label ("Clerk") instead of a first name."""
        self._label[role] = self._fill(expand(label, self.dice))

    # turns

    def _fill(self, text, extra=None):
        values = dict(self.values, **(extra or {}))

        def value(match):
            name = match.group(1)
            return with_article(values[name[3:]]) if name.startswith("an:") else values[name]

        return re.sub(r"\{([^}]+)\}", value, text)

    def say(self, *lines, extra=None):
        """Each line is `role: text`, or `role?0.3: text` for a turn that may be left out."""
        for line in lines:
            head, text = line.split(":", 1)
            role, _, probability = head.partition("?")
            if probability and not self.chance(float(probability)):
                continue
            body = tidy(self._fill(expand(text, self.dice), extra))
            speaker = self._label.get(role, self.values.get(role))
            if self.turns and self.turns[-1][0] == speaker:
                self.turns[-1][1] += " " + body
            else:
                if self.turns and self.chance(0.08):
                    body = self.dice.pick(FILLERS) + " " + body
                self.turns.append([speaker, body])

    def chat(self, first, second, probability=0.4):
        """Small talk, with values that are of no importance."""
        if not self.chance(probability):
            return
        if self.chance(0.3):
            first, second = second, first
        lines = self.dice.pick(SMALL_TALK)
        named = {name for line in lines for name in re.findall(r"\{(x_\w+)\}", line)}
        extra = {name: self._fresh(SMALL_KINDS[name]) for name in sorted(named)}
        self.say(*[line.replace("{p}", first, 1).replace("{q}", second, 1) for line in lines], extra=extra)

    def settle(self, first, second, slot, probability_direct=0.42, revise=0.22, table=None):
        """Two people agree on `slot`, straight away or after proposals that come to nothing."""
        kind = self._kinds[slot]
        family = FAMILY.get(kind, kind) if isinstance(kind, str) else "other"
        table = table or {"time": "time", "day": "time", "price": "price", "month": "time"}.get(family, "other")
        target = final = self.values[slot]
        if self.chance(revise):
            target = self._fresh(kind)
            self._pending.append((first, second, table, target, final))
        pick = lambda phrases, key=table: self.dice.pick(phrases if isinstance(phrases, list) else phrases[key])
        draw = self.dice.below(100) / 100
        if draw < probability_direct:
            self._offer(f"{first}: {pick(PROPOSE)}", target)
            self._offer(f"{second}: {pick(ACCEPT)}", target)
        elif draw < 0.87:
            old = self._fresh(kind, above=target if table == "price" else None)
            self._offer(f"{first}: {pick(PROPOSE)}", old)
            if draw > 0.74:
                middle = self._fresh(kind, below=target if table == "price" else None)
                self._offer(f"{second}: {pick(REJECT)}", middle, old)
                self._offer(f"{first}: {pick(REJECT, 'counter' if table == 'price' else table)}", target, middle)
                self._offer(f"{second}: {pick(ACCEPT)}", target)
            else:
                self._offer(f"{second}: {pick(REJECT)}", target, old)
                self._offer(f"{first}: {pick(ACCEPT)}", target)
        else:
            old = self._fresh(kind)
            self._offer(f"{first}: {pick(PROPOSE)}", target)
            self._offer(f"{second}: {pick(MISHEARD)}", target, old)
            self._offer(f"{first}: {pick(CORRECT)}", target, old)
            self._offer(f"{second}: {pick(ACCEPT)}", target)

    def _offer(self, line, value, other=""):
        """One turn about `value`; somebody who speaks for a shop is busy with other things than a private person."""
        busy = w.STAFF_BUSY if line[0] in self._label else w.BUSY
        self.say(line, extra={"s": value, "o": other, "busy": self._fresh(busy) if "{busy}" in line else ""})

    def revise(self):
        """Changes of mind that `settle` left open. A scene calls it once, before its last words."""
        for first, second, table, old, final in self._pending:
            if self.chance(0.3):
                first, second = second, first
            self._offer(f"{first}: {self.dice.pick(REVISE[table])}", final, old)
            self._offer(f"{second}: {self.dice.pick(AGREE_REVISION)}", final, old)
        self._pending = []

    def goodbye(self, first, second):
        if self.chance(0.6):
            self.say(f"{first}: [Thank you|Thanks|Thanks a lot|Great, thanks|Thank you very much|Many thanks|"
                     "Perfect, thanks][, goodbye|, bye| for your help|, see you|][.|!]",
                     f"{second}?0.7: [You're welcome|Bye|Goodbye|See you|My pleasure|Take care|Have a nice day|"
                     "See you then][.|!]")

    # the end

    def summary(self, text):
        """The reference; each value in it is a fact that a summary must contain."""
        assert not self._pending, "a scene must call revise() after settle()"
        self.ret_summary = tidy(self._fill(text))
        for name in re.findall(r"\{([^}]+)\}", text):
            value = self.values[name.removeprefix("an:")]
            if value not in self.facts:
                self.facts.append(value)

    def dialogue(self):
        return "\n".join(f"{speaker}: {body}" for speaker, body in self.turns)
