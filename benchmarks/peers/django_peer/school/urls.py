"""Addresses."""

from branches.views import ProcessViewSet, healthz
from django.urls import include, path
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
router.register("branches", ProcessViewSet, basename="process")
urlpatterns = [path("healthz", healthz), path("api/", include(router.urls))]
