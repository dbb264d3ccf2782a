"""The tests run on parts of this machine, where nothing is worth protecting."""

from services.kit.settings import assume_development

assume_development()
