"""What happens in the province: people, telephones, appointments, doses, units."""
