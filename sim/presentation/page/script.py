"""What Streamlit runs for each reader, again with every change."""

if __name__ == "__main__":  # processes that an ensemble starts look at this file, too
    from sim.presentation.page.view import show

    show()
