# SPDX-License-Identifier: LGPL-2.1-or-later
"""A strict reader of OpenMetrics 1.0 text: what it lets pass, a monitoring system understands."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HEAD = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME}) (.+)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
ESCAPED = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
SUFFIXES = {"gauge": [""], "counter": ["_total"], "info": ["_info"],
            "histogram": ["_bucket", "_sum", "_count"]}


class Malformed(Exception):
    """The text is none."""


def require(good, why):
    """Raises Malformed where it is not."""
    if not good:
        raise Malformed(why)


def labels_of(text):
    """{name: value}, all of the text used up."""
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        require(match and match[1] not in labels, f"labels: {text}")
        labels[match[1]] = re.sub(r'\\[n"\\]', lambda m: ESCAPED[m[0]], match[2])
        at = match.end()
    require(not text.endswith(","), f"labels: {text}")
    return labels


class Family:
    """A metric: what its head says, and its samples as (name, labels, value)."""

    def __init__(self, name):
        self.name = name
        self.head = {}
        self.samples = []

    def check(self):
        """Raises Malformed."""
        kind = self.head.get("TYPE")
        require(kind in SUFFIXES and self.head.get("HELP"), f"{self.name}: no TYPE or HELP")
        unit = self.head.get("UNIT")
        require(not unit or self.name.endswith("_" + unit), f"{self.name}: its unit is {unit}")
        for name, labels, value in self.samples:
            require(name[len(self.name):] in SUFFIXES[kind], f"{name} is of no {kind}")
            require(kind == "gauge" or value >= 0, f"{name} is negative")
            require(("le" in labels) == name.endswith("_bucket"), f"{name}: le")
        if kind == "histogram":
            self.check_histogram()

    def check_histogram(self):
        """Buckets go up to +Inf, and count what was counted up to them."""
        series = {}
        for name, labels, value in self.samples:
            rest = tuple(sorted(item for item in labels.items() if item[0] != "le"))
            buckets, sums = series.setdefault(rest, ([], {}))
            if "le" in labels:
                buckets.append((float(labels["le"]), value))
            else:
                sums[name[len(self.name):]] = value
        for buckets, sums in series.values():
            require(buckets == sorted(buckets), f"{self.name}: buckets out of order")
            require(len({le for le, _ in buckets}) == len(buckets), f"{self.name}: buckets twice")
            require([value for _, value in buckets] == sorted(value for _, value in buckets),
                    f"{self.name}: buckets are not cumulative")
            require(buckets and buckets[-1][0] == float("inf"), f"{self.name}: no +Inf")
            require(sums.get("_count") == buckets[-1][1] and "_sum" in sums,
                    f"{self.name}: count and sum")


def parse(text):
    """{name: Family} of the whole text; raises Malformed."""
    require(text.endswith("\n# EOF\n"), "no EOF at the end")
    families, family, seen = {}, None, set()
    for line in text.split("\n")[:-2]:
        head, sample = HEAD.fullmatch(line), SAMPLE.fullmatch(line)
        require(head or sample, f"neither head nor sample: {line}")
        if head:
            if family is None or head[2] != family.name:
                require(head[2] not in families, f"{head[2]} stands in two places")
                family = families[head[2]] = Family(head[2])
            require(not family.samples and head[1] not in family.head, f"a head too late: {line}")
            family.head[head[1]] = head[3]
            continue
        labels = labels_of(sample[2] or "")
        require(family and sample[1].startswith(family.name), f"a sample without a head: {line}")
        key = (sample[1], tuple(sorted(labels.items())))
        require(key not in seen, f"twice: {line}")
        seen.add(key)
        family.samples.append((sample[1], labels, float(sample[3])))
    for family in families.values():
        family.check()
    return families
