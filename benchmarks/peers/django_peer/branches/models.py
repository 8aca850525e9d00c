"""Branches, their people, their talks, and the stage of each branch."""

from django.conf import settings
from django.db import models


class Stage(models.TextChoices):
    """The stages that matter here."""

    STUDY = "study", "集中学习"
    TALKS = "talks", "谈心谈话"
    SELF_REVIEW = "self_review", "组织生活会"


class Branch(models.Model):
    """A branch."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=200)


class Member(models.Model):
    """A member of a branch, with a post or without."""

    class Post(models.TextChoices):
        """Posts in a branch."""

        SECRETARY = "secretary", "书记"
        COMMITTEE_MEMBER = "committee_member", "委员"

    branch = models.ForeignKey(Branch, on_delete=models.CASCADE, related_name="members")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    name = models.CharField(max_length=50)
    post = models.CharField(max_length=32, choices=Post.choices, null=True)
    leads = models.BooleanField(default=False)


class Process(models.Model):
    """A branch's way through the year."""

    branch = models.OneToOneField(Branch, on_delete=models.CASCADE, related_name="process")
    stage = models.CharField(max_length=32, choices=Stage.choices, default=Stage.STUDY)
    version = models.PositiveIntegerField(default=1)
    entered_at = models.DateTimeField()
    due_on = models.DateField(null=True)


class Talk(models.Model):
    """A talk between two people."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="talks")
    talker = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="talks_led")
    partner = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="talks_had")
    held_on = models.DateField()
    focus = models.BooleanField(default=False)
    focus_reason = models.TextField(blank=True, default="")


class StageChange(models.Model):
    """A move that was made."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="changes")
    trigger = models.CharField(max_length=32)
    source = models.CharField(max_length=32, choices=Stage.choices)
    target = models.CharField(max_length=32, choices=Stage.choices)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    made_at = models.DateTimeField(auto_now_add=True)


class Letter(models.Model):
    """A letter that waits to be sent."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="letters")
    address = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    state = models.CharField(max_length=16, default="pending", db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
