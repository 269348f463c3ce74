"""Rules of actor and critic."""
