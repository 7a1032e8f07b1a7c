# SPDX-License-Identifier: Apache-2.0
"""What a row is: who runs it, what is read from it, what we aim for."""
import dataclasses
import re

# As RocketMQ's: no checksum. What is shipped is the native wire, and counts.
ROCKETMQ_WIRE = ("--option", "wire=rocketmq")
CPUS = ("--cpus", "0,1")  # master on one, slave on the other, for every contender alike


@dataclasses.dataclass
class Aim:
    sign: str       # "<=", ">=" or "<"
    factor: float
    against: str = ""  # a contender; "" = the figure itself
    plus: float = 0    # in the measure's unit

    def met(self, ours, theirs):
        bound = self.factor * (theirs if self.against else 1) + self.plus
        return {"<=": ours <= bound, ">=": ours >= bound, "<": ours < bound}[self.sign]

    def __str__(self):
        return (f"{self.sign} {self.factor:g}" + (f" x {self.against}" if self.against else "") +
                (f" + {self.plus:g}" if self.plus else ""))


@dataclasses.dataclass
class Measure:
    key: str
    unit: str
    aims: list = dataclasses.field(default_factory=list)
    points: dict = dataclasses.field(default_factory=dict)  # what it was fitted to: n -> key

    @property
    def more_is_better(self):
        return "/s" in self.unit


@dataclasses.dataclass
class Row:
    name: str
    contenders: object  # settings -> [(who, way, contender)]
    measures: list
    plot: str = ""      # the series of a plot that it belongs to

    def matches(self, pattern):
        return re.search(pattern, self.name) is not None
