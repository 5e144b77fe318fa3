"""What all sections of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section: it refuses keys that it does not know, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
