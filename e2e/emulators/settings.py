"""What tests may change in the emulator's behaviour while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Settings:
    """Times are in seconds; pairs are a code and a text."""

    nat_pending: float = 0.3
    nat_deleting: float = 0.3
    load_balancer_provisioning: float = 0.3
    ec2_page_size: int = 0
    #: Of ELBv2, ACM and IAM.
    list_page_size: int = 0
    nat_failure: tuple[str, str] | None = None
    target_health: tuple[str, str] | None = None

    def update(self, values: dict) -> None:
        for name, value in values.items():
            if name not in self.__dataclass_fields__:
                raise ValueError(f"no setting {name}")
            setattr(self, name, tuple(value) if isinstance(value, list) else value)

    def reset(self) -> None:
        self.update(vars(Settings()))


#: The one set of settings of this process.
SETTINGS = Settings()
