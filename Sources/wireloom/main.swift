print("wireloom")
