-- SPDX-License-Identifier: GPL-2.0-or-later
-- How often each cause came, and what happened first: an example of how Lua reads the plugin's fields.
--
--   tshark -q -X lua_script:tests/resets.lua -r FILE

local cause = Field.new('rstcause')
local explanation = Field.new('rstcause.explanation')

-- "frame" gives each frame once; the filter leaves those with a reset. The tap "rstcause" would give each reset once.
local resets = Listener.new('frame', 'rstcause')
local counts, first = {}, {}

function resets.packet()
    local explanations = { explanation() }
    for number, found in ipairs({ cause() }) do -- a frame with a tunnel may hold two
        local name = tostring(found)
        counts[name] = (counts[name] or 0) + 1
        first[name] = first[name] or tostring(explanations[number])
    end
end

function resets.reset()
    counts, first = {}, {}
end

function resets.draw()
    local names = {}
    for name in pairs(counts) do
        table.insert(names, name)
    end
    table.sort(names)
    for _, name in ipairs(names) do
        print(string.format('%s\t%d\t%s', name, counts[name], first[name]))
    end
end
