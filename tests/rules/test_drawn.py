"""The thirty rules drawn by lot: each is still in the code under its drawn name."""

from __future__ import annotations

from collections import Counter

from tests.rules.draw import NO_GUARD_ANY_MORE, SHARES, Sort, all_rules, draw, drawn


def test_each_drawn_rule_is_still_in_the_code() -> None:
    """A renamed rule makes this red: write its new name into ``drawn.txt``, never draw again."""
    known = {rule for rules in all_rules().values() for rule in rules}
    assert [str(rule) for rule in drawn() if rule not in known] == []


def test_each_sort_of_rule_has_its_share_of_the_thirty() -> None:
    left = {**SHARES, Sort.GUARD: SHARES[Sort.GUARD] - NO_GUARD_ANY_MORE}
    assert Counter(rule.sort for rule in drawn()) == left
    assert len(set(drawn())) == sum(left.values()) == 29


def test_the_same_rules_and_seed_give_the_same_thirty_and_another_seed_others() -> None:
    rules = all_rules()
    assert draw(rules) == draw(rules)
    assert draw(rules, seed=1) != draw(rules, seed=2)
