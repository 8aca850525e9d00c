"""The state machine of a process."""

from django.utils import timezone
from viewflow import fsm

from branches.models import Letter, Member, Process, Stage, StageChange, Talk

OFFICE = "office@school.example"


def talked_with_everybody(flow):
    """Tell whether a leader has talked with every member."""
    talked = Talk.objects.filter(process=flow.process, talker__leads=True).values("partner")
    members = Member.objects.filter(branch=flow.process.branch_id, leads=False)
    return not members.exclude(pk__in=talked).exists()


def leaders_talked_with_one_another(flow):
    """Tell whether each pair of leaders has talked."""
    leaders = Member.objects.filter(branch=flow.process.branch_id, leads=True).count()
    pairs = (
        Talk.objects.filter(process=flow.process, talker__leads=True, partner__leads=True)
        .values("talker", "partner")
        .distinct()
        .count()
    )
    return pairs >= leaders * (leaders - 1) // 2


def secretary_has_a_focus_talk(flow):
    """Tell whether the secretary has held a focus talk and said why."""
    return (
        Talk.objects.filter(process=flow.process, talker__post=Member.Post.SECRETARY, focus=True)
        .exclude(focus_reason="")
        .exists()
    )


class ProcessFlow:
    """Moves of a process."""

    stage = fsm.State(Stage, default=Stage.STUDY)

    def __init__(self, process: Process, user):
        self.process = process
        self.user = user

    @stage.setter()
    def _set_stage(self, value):
        self.process.stage = value

    @stage.getter()
    def _get_stage(self):
        return Stage(self.process.stage)

    @stage.transition(
        source=Stage.TALKS,
        target=Stage.SELF_REVIEW,
        label="advance",
        conditions=[
            talked_with_everybody,
            leaders_talked_with_one_another,
            secretary_has_a_focus_talk,
        ],
    )
    def advance(self):
        """Go on to the self-review."""

    @stage.transition(source=Stage.SELF_REVIEW, target=Stage.TALKS, label="step_back")
    def step_back(self):
        """Go back to the talks."""

    @stage.on_success()
    def _moved(self, descriptor, source, target):
        process = self.process
        process.version += 1
        process.entered_at = timezone.now()
        process.save(update_fields=["stage", "version", "entered_at"])
        StageChange.objects.create(
            process=process,
            trigger=descriptor.label,
            source=source,
            target=target,
            made_by=self.user,
        )
        Letter.objects.create(
            process=process,
            address=OFFICE,
            subject=f"{process.branch.name}：进入{Stage(target).label}",
            text=f"{process.branch.name}已由{Stage(source).label}进入{Stage(target).label}。",
        )
