"""The API of processes."""

from django.db import transaction
from django.http import JsonResponse
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet
from viewflow import fsm

from branches.flows import ProcessFlow
from branches.models import Member, Process


def healthz(request):
    """Answer that the server is up."""
    return JsonResponse({"status": "ok"})


class MoveSerializer(serializers.Serializer):
    """A move as it is sent."""

    trigger = serializers.ChoiceField(choices=["advance", "step_back"])
    reason = serializers.CharField(required=False, max_length=1000)


class ProcessSerializer(serializers.ModelSerializer):
    """The stage of a branch."""

    code = serializers.CharField(source="branch.code")
    name = serializers.CharField(source="branch.name")

    class Meta:
        """Fields."""

        model = Process
        fields = ("code", "name", "stage", "version", "entered_at", "due_on")


class ProcessViewSet(ReadOnlyModelViewSet):
    """Processes by the code of their branch."""

    queryset = Process.objects.select_related("branch")
    serializer_class = ProcessSerializer
    lookup_field = "branch__code"
    lookup_url_kwarg = "code"

    @action(detail=True, methods=["post"])
    def moves(self, request, code=None):
        """Move the branch."""
        sent = MoveSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with transaction.atomic():
            self.queryset = self.queryset.select_for_update(of=("self",))
            process = self.get_object()
            if not Member.objects.filter(
                user=request.user, branch=process.branch_id, post=Member.Post.SECRETARY
            ).exists():
                raise PermissionDenied
            flow = ProcessFlow(process, request.user)
            try:
                getattr(flow, sent.validated_data["trigger"])()
            except fsm.TransitionNotAllowed as refusal:
                return Response({"detail": str(refusal)}, status=status.HTTP_409_CONFLICT)
        return Response(self.get_serializer(process).data, status=status.HTTP_201_CREATED)
