"""What is measured against whom, and the scripts that do it, on parts of this machine."""

from services.kit.settings import assume_development

assume_development()
