"""How a job ended: with a value or with an error."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """A finished job's value or error, carried from the store's thread to the one who asked."""

    __slots__ = ("_value", "error")

    def __init__(self, value: T | None = None, error: BaseException | None = None) -> None:
        self._value = value
        self.error = error

    def result(self) -> T:
        """The value; raises what the job raised."""
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]  # None is T's own None when there is no error
