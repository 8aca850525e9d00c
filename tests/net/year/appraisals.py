"""The appraisal in the walk: four branches from study to acceptance, with many refusals."""

from __future__ import annotations

from tests.net.year import records
from tests.net.year.school import HERE, NUMBERS, SLOW, SMALL, THERE
from tests.net.year.steps import EN, WHY, Walk
from tests.support.years.branch_year import BranchYear, ok


def of_here(walk: Walk) -> BranchYear:
    """Give the branch whose people are asked; one of its members is 优秀."""
    return walk.branch(HERE, {"王五": "excellent"})


def of_there(walk: Walk) -> BranchYear:
    """Give another branch, with one member 基本合格 and one 不合格."""
    return walk.branch(THERE, {"何四": "basic", "吕五": "unqualified"})


def refused(walk: Walk, branch: BranchYear, trigger: str = "advance", *, by: str = "张三", **body: str) -> None:
    """Ask for a move that is refused, in both languages."""
    client = walk.by(by)
    walk.both(client, "POST", f"{branch.path}/moves", {"trigger": trigger, **body}, seen=client.get(branch.path).headers.get("ETag"))


def checked(walk: Walk, branch: BranchYear) -> None:
    """Read the missing items, as the secretary and as the office do."""
    for who in ("张三", "office"):
        for below in ("/next", "/requirements"):
            walk.by(who).get(f"{branch.path}{below}")
            walk.by(who).get(f"{branch.path}{below}", **EN)


def studies(walk: Walk) -> None:
    """Record study: refused, waived, made up for; a later day; the move with its key."""
    branch, office, secretary = of_here(walk), walk.office, walk.by("张三")
    walk.both(secretary, "POST", f"{branch.path}/moves", {"trigger": "advance"})
    walk.both(secretary, "POST", f"{branch.path}/moves", {"trigger": "advance"}, seen=99)
    walk.both(secretary, "POST", f"{branch.path}/moves", {"trigger": "fly"}, seen=1)
    walk.both(secretary, "POST", f"{branch.path}/moves", {"trigger": "accept"}, seen=1)
    walk.both(walk.by("王五"), "POST", f"{branch.path}/moves", {"trigger": "advance"}, seen=1)
    refused(walk, branch)
    checked(walk, branch)
    records.of_study(walk, branch)
    away = [NUMBERS["孙八"], NUMBERS["冯二"]]
    study = branch.study(without=away)
    refused(walk, branch)
    walk.both(secretary, "POST", f"{branch.path}/study-sessions/{study['id']}/make-ups", {"staff_no": NUMBERS["赵六"], "on": "2024-12-18"})
    branch.make_up(study, NUMBERS["孙八"])
    walk.both(secretary, "POST", f"{branch.path}/study-sessions/{study['id']}/make-ups", {"staff_no": NUMBERS["孙八"], "on": "2024-12-18"})
    waivers(walk, branch)
    later = {"stage": "study", "due_on": "2024-12-27", "reason": "书记出差"}
    walk.both(office, "POST", f"{branch.path}/extensions", {**later, "due_on": "2024-12-01"})
    walk.both(secretary, "POST", f"{branch.path}/extensions", later)
    ok(office.post(f"{branch.path}/extensions", later))
    tag = secretary.get(branch.path).etag
    for _ in range(2):
        secretary.post(f"{branch.path}/moves", {"trigger": "advance"}, seen=tag, **{"Idempotency-Key": "advance-1"})
    walk.both(secretary, "POST", f"{branch.path}/study-sessions", {"held_on": "2024-12-18"})


def waivers(walk: Walk, branch: BranchYear) -> None:
    """Give waivers: refused, given, taken back, rejected, approved."""
    secretary, office, path = walk.by("张三"), walk.office, f"{branch.path}/waivers"
    whole = {"requirement": "members_who_have_not_studied", "reason": "出国访学"}
    walk.both(secretary, "POST", path, {**whole, "requirement": "no_such_requirement"})
    walk.both(secretary, "POST", path, {**whole, "requirement": "titles_nobody_read"})
    walk.both(secretary, "POST", path, {"requirement": "members_nobody_talked_with", "reason": "出国", "subjects": ["nobody"]})
    first = ok(secretary.post(path, whole))
    ok(secretary.post(f"{path}/{first['id']}/withdraw", WHY), 200)
    second = ok(secretary.post(path, whole))
    walk.both(secretary, "POST", f"{path}/{second['id']}/approve", {})
    office.post(f"{path}/{second['id']}/approve")
    ok(office.post(f"{path}/{second['id']}/reject", {"reason": "理由不充分"}), 200)
    refused(walk, branch)
    third = ok(secretary.post(path, whole))
    walk.kept["waiver"] = third["id"]
    secretary.get(f"{path}/{third['id']}")


def talks(walk: Walk) -> None:
    """Record talks, with a waiver for a member who is abroad."""
    branch = of_here(walk)
    records.of_talks(walk, branch)
    refused(walk, branch)
    walk.office.get(f"{branch.path}/talks/coverage")
    branch.talks(without=[NUMBERS["孙八"]])
    refused(walk, branch)
    branch.waive("members_nobody_talked_with", NUMBERS["孙八"])
    branch.goes_on()


def self_reviews(walk: Walk) -> None:
    """Record self-reviews, meetings and the ballot; step back and go forth again."""
    branch = of_here(walk)
    records.of_self_reviews(walk, branch)
    records.of_meetings(walk, branch)
    refused(walk, branch)
    branch.self_reviews()
    branch.life_meetings()
    records.of_tallies(walk, branch)
    branch.tallies()
    refused(walk, branch, "step_back")
    refused(walk, branch, "step_back", to="rating", reason="没有这一步")
    ok(branch.move("step_back", to="talks", reason="补记一次谈话"))
    branch.talk(NUMBERS["张三"], NUMBERS["孙八"])
    branch.goes_on()
    branch.goes_on()


def ratings(walk: Walk) -> None:
    """Rate members, tell them, let them acknowledge; hold the deciding meeting."""
    branch = of_here(walk)
    records.of_ratings(walk, branch)
    refused(walk, branch)
    walk.both(walk.by("张三"), "POST", f"{branch.path}/ratings", {"staff_no": NUMBERS["冯二"], "level": "excellent"})
    branch.ratings(untold=[NUMBERS["钱七"]])
    walk.both(walk.by("钱七"), "POST", f"{branch.path}/ratings/{NUMBERS['钱七']}/acknowledge", {"remark": "同意"})
    branch.tell(NUMBERS["钱七"])
    branch.decision()
    checked(walk, branch)
    branch.goes_on()


def rectification(walk: Walk) -> None:
    """Record problems, measures, commitments; publish them and send them up."""
    branch = of_here(walk)
    refused(walk, branch)
    records.of_rectification(walk, branch)
    branch.does("rectification")
    checked(walk, branch)
    branch.goes_on()


def reports(walk: Walk) -> None:
    """Write the form, read the archive, file, take it back, be returned, and file again."""
    branch, office = of_here(walk), walk.office
    refused(walk, branch, "file")
    walk.both(walk.by("张三"), "PATCH", f"{branch.path}/form", {"phone": "8888 0101"})
    walk.both(walk.by("张三"), "PATCH", f"{branch.path}/form", {"phone": "8888 0101"}, seen=99)
    branch.form()
    walk.by("张三").get(f"{branch.path}/archive", **EN)
    branch.goes_on()
    refused(walk, branch, "withdraw")
    ok(branch.move("withdraw", reason="电话有误"))
    branch.form(phone="8888 0102", remark="已更正")
    branch.goes_on()
    refused(walk, branch, "return", by="office", to="rectification")
    ok(branch.move("return", by="office", to="rectification", reason="整改措施不具体", due_on="2025-01-24"))
    checked(walk, branch)
    branch.goes_on()
    branch.goes_on()
    office.get(f"{branch.path}/moves")


def accepted(walk: Walk) -> None:
    """Let the office accept, reopen, and accept the second filing."""
    branch = of_here(walk)
    refused(walk, branch, "accept")
    ok(branch.move("accept", by="office"))
    refused(walk, branch, "withdraw", reason="太晚")
    walk.both(walk.office, "POST", f"{branch.path}/waivers/{walk.kept['waiver']}/reject", {"reason": "晚了"})
    refused(walk, branch, "reopen", by="office")
    ok(branch.move("reopen", by="office", to="report", reason="总数与名册不符", due_on="2025-02-10"))
    branch.goes_on()
    ok(branch.move("accept", by="office"))


def small_to(walk: Walk, stage: str) -> None:
    """Bring the branch without a committee to a stage."""
    walk.branch(SMALL, {"褚二": "excellent"}).comes_to(stage)


def there_to(walk: Walk, stage: str) -> None:
    """Bring the other branch to a stage; it meets in groups."""
    of_there(walk).comes_to(stage, form="group")


def slow_to_filed(walk: Walk) -> None:
    """Let the late branch file, with one more 优秀 than the quota.

    The office approves it.
    """
    branch = walk.branch(SLOW, {"曹二": "excellent"})
    branch.comes_to("rating")
    branch.does("rating")
    refused(walk, branch, by="孔一")
    reason = branch.waive("more_excellent_than_the_quota")
    refused(walk, branch, by="孔一")
    walk.office.get("/me/todos")
    ok(walk.office.post(f"{branch.path}/waivers/{reason['id']}/approve"), 200)
    branch.goes_on()
    branch.comes_to("filed")


def moved(walk: Walk) -> None:
    """Rate a member who has changed branches where the office decides."""
    branch = walk.branch(SMALL)
    walk.office.get(f"{branch.path}/roll")
    walk.office.get(f"{of_there(walk).path}/roll")
    branch.on_roll(NUMBERS["张七"], {"rated_here": False})
