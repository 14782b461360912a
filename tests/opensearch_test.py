#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The index template of plugin/many against what tshark -T ek writes for all of test-captures/, one behind the other.

There is no OpenSearch here: what is known of it is what its documentation says of types and of the bulk interface.
"""
import fnmatch
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys

from statistics_test import CANNOT_RUN, make_capture
from tap import Tap
from workplace import REPOSITORY, Workplace

FOLDER = os.path.join(REPOSITORY, 'plugin', 'many')
OWN = ('layers', 'rstcause_proto')
EXPERT = '_ws_expert'
# The types of OpenSearch that hold all values of one of Wireshark's.
FITTING = {'FT_STRING': ('keyword', 'text'), 'FT_DOUBLE': ('double',), 'FT_FRAMENUM': ('long',), 'FT_UINT32': ('long',),
           'FT_NONE': ('boolean',)}
WIRESHARKS_OWN = ('text', '_ws_expert__ws_expert_message', '_ws_expert__ws_expert_severity', '_ws_expert__ws_expert_group')


def read(name):
    with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
        return file.read()


def flatten(properties, path=()):
    """{path: what the template says of the field}"""
    found = {}
    for name, said in properties.items():
        if 'properties' in said:
            found.update(flatten(said['properties'], (*path, name)))
        else:
            found[(*path, name)] = said
    return found


def read_registered(workplace):
    """{path: type} of the plugin's fields, as -T ek names them."""
    lines = [line.split('\t') for line in workplace.run('tshark', '-G', 'fields').stdout.splitlines()]
    fields = [(line[2], line[3]) for line in lines if line[0] == 'F' and line[4] == 'rstcause_proto']
    return {(*OWN, *([EXPERT] if kind == 'FT_NONE' else []), 'rstcause_proto_' + name.replace('.', '_')): kind
            for name, kind in fields}


def read_bulk(workplace, capture):
    """What the page's command sends: lines of actions and lines of documents, in turn."""
    page = read('README.md')
    options, edit = re.search(r"-Y rstcause (-T ek -J '[\w ]+') \|", page)[1], re.search(r"sed '(.*)'", page)[1]
    done = workplace.run('sh', '-c', f"tshark -2 -r {capture} -Y 'rstcause or rstcause.reset_in' {options}")
    edited = subprocess.run(['sed', edit], input=done.stdout, text=True, check=True, stdout=subprocess.PIPE).stdout
    lines = [json.loads(line) for line in edited.splitlines()]
    return lines[0::2], lines[1::2]


def find_values(value, path=()):
    """(path, value) for all that is in a document; a list is the same field several times."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from find_values(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from find_values(inner, path)
    else:
        yield path, value


def fits(said, value):
    try:
        match said['type']:
            case 'keyword' | 'text':
                return isinstance(value, str)
            case 'boolean':
                # An expert item has no value; a null is found only where it stands for one.
                return value is None and said.get('null_value') is True
            case 'long':
                return -2 ** 63 <= int(value) < 2 ** 63
            case 'double':
                return float(value) >= 0
            case 'ip':
                return bool(ipaddress.ip_address(value))
            case 'date':
                return said['format'] == 'epoch_millis' and int(value) >= 0
    except (TypeError, ValueError):
        pass
    return False


def test_registered(tap, workplace, fields):
    registered = read_registered(workplace)
    wrong = [f'{path[-1]}: {kind} is {fields.get(path)}' for path, kind in registered.items()
             if fields.get(path, {}).get('type') not in FITTING[kind]]
    tap.check(registered and not wrong, 'every field of the plugin has a fitting type', '\n'.join(wrong))
    unknown = [path for path in fields if path[:2] == OWN and path not in registered and path[-1] not in WIRESHARKS_OWN]
    tap.check(not unknown, 'the template has no field that the plugin does not have', str(unknown))


def test_written(tap, fields, documents):
    values = [found for document in documents for found in find_values(document)]
    own = [path for path, _ in values if path[:2] == OWN]
    missing = sorted({'.'.join(path) for path in own if path not in fields})
    tap.check(own and not missing, 'every field that tshark writes for the plugin is in the template', '\n'.join(missing))
    wrong = {f'{".".join(path)}: {value!r} is no {fields[path]}' for path, value in values
             if path in fields and not fits(fields[path], value)}
    tap.check(not wrong, 'every value fits its type', '\n'.join(sorted(wrong)[:10]))
    never = [path for path in fields if path[:2] != OWN and path not in {path for path, _ in values}]
    tap.check(not never, 'the names of other protocols are tshark\'s', str(never))


def test_bulk(tap, template, actions, documents):
    indices = {action['index']['_index'] for action in actions}
    # OpenSearch 2 and later refuse an action with a type.
    tap.check(actions and all(action == {'index': {'_index': action['index']['_index']}} for action in actions),
              'an action names an index and nothing else', str(actions[:1]))
    tap.check(all(fnmatch.fnmatch(index, pattern) for index in indices for pattern in template['index_patterns']),
              'the template is for these indices', str(indices))
    tap.check(len(actions) == len(documents) and all('rstcause_proto' in document['layers'] for document in documents),
              'each action has a document with a verdict', f'{len(actions)} {len(documents)}')


def main():
    if shutil.which('mergecap') is None:
        print('# skipped: no mergecap')
        return CANNOT_RUN
    tap = Tap()
    template = json.loads(read('opensearch.json'))
    fields = flatten(template['template']['mappings']['properties'])
    with Workplace() as workplace:
        actions, documents = read_bulk(workplace, make_capture(workplace))
        test_registered(tap, workplace, fields)
        test_written(tap, fields, documents)
        test_bulk(tap, template, actions, documents)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
