from typing import TYPE_CHECKING as TYPE_CHECKING
from typing import Any as Any
from typing import ClassVar as ClassVar
from typing import NoReturn as NoReturn
from typing import TypeVar as TypeVar
from typing import cast as cast
