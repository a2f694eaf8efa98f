"""The open-domain model: windows of audio tokens over a frozen DynamiCrafter."""
