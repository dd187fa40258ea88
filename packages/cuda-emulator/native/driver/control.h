// Settings as text.
#pragma once
#include <string>

#include "state.h"

// Reads `name=value` pairs. False where a name is unknown or a value is no number.
bool configure(Settings& settings, const std::string& text);
