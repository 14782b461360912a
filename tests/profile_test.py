#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The profile "RST cause": what comes with it is sound, and an update reaches who changed nothing and keeps what was changed."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

from capture_test import find_captures
from tap import Tap
from workplace import REPOSITORY, Workplace

INSTALL = os.path.join(REPOSITORY, 'plugin', 'install')
NAME = 'RST cause'
SHIPPED = os.path.join(INSTALL, 'profile', NAME)
FORGED = os.path.join(REPOSITORY, 'test-captures', 'world-netwox-idle-v4.client.pcap')   # severity error
EVERY = 8   # a sample of the captures is enough
LONGEST = 8   # pixels that a character of Wireshark's default font takes at most


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def read_folder(folder):
    return {name: read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def write(path, text):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def run_script(*arguments):
    """What it says; the test has to fail where it does."""
    return subprocess.run(['sh', os.path.join(INSTALL, 'profile.sh'), *arguments], capture_output=True, text=True, check=True).stdout


def find_older_versions():
    """Contents of a file as earlier commits had it; empty where this is no repository."""
    if shutil.which('git') is None:
        return
    for path in (f'plugin/profile/{NAME}/dfilter_buttons', f'plugin/install/profile/{NAME}/dfilter_buttons'):
        for commit in subprocess.run(['git', '-C', REPOSITORY, 'log', '--format=%H', '--', path], capture_output=True, text=True,
                                     check=False).stdout.split():
            done = subprocess.run(['git', '-C', REPOSITORY, 'show', f'{commit}:{path}'], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                yield done.stdout


def test_sums(tap):
    known = read(os.path.join(INSTALL, 'profile.sums'))
    missing = [f'{hashlib.sha256(text.encode()).hexdigest()}  {name}' for name, text in read_folder(SHIPPED).items()
               if f'{hashlib.sha256(text.encode()).hexdigest()}  {name}\n' not in known]
    tap.check(not missing, 'the checksums of the profile are in plugin/install/profile.sums', '\n'.join(missing))


def test_updates(tap, folder):
    profile = os.path.join(folder, NAME)
    shipped = read_folder(SHIPPED)
    run_script('--renew', folder)
    tap.check(not os.path.exists(folder), 'who has no profile gets none by a renewal')
    run_script(folder)
    tap.check(read_folder(profile) == shipped, 'installed')
    tap.check(run_script('--renew', folder) == '' and read_folder(profile) == shipped, 'a renewal of the same changes nothing')

    own = '"TRUE","Mine","tcp.port == 80",""\n'
    write(os.path.join(profile, 'dfilter_buttons'), own)
    os.remove(os.path.join(profile, 'io_graphs'))
    said = run_script('--renew', folder)
    tap.check(read_folder(profile) == {**shipped, 'dfilter_buttons': own} and 'left as it is' in said and 'dfilter_buttons' in said,
              'what a user changed stays, and is named', said)
    said = run_script(folder)
    tap.check(read_folder(profile)['dfilter_buttons'] == own, 'an installation keeps it, too', said)

    linked = os.path.join(folder, 'elsewhere')
    write(linked, shipped['recent'])
    os.remove(os.path.join(profile, 'recent'))
    os.symlink(linked, os.path.join(profile, 'recent'))
    run_script('--remove', folder)
    tap.check(sorted(os.listdir(profile)) == ['dfilter_buttons', 'recent'] and read(linked) == shipped['recent'],
              'a removal keeps what is the user\'s', str(os.listdir(profile)))
    shutil.rmtree(profile)
    run_script(folder)
    run_script('--remove', folder)
    tap.check(not os.path.exists(profile), 'a removal leaves nothing of ours')


def test_older(tap, folder):
    """Who changed nothing has a file of some earlier version."""
    older = [text for text in find_older_versions() if text != read_folder(SHIPPED)['dfilter_buttons']]
    if not older:
        tap.skip('who changed nothing gets the new profile', 'no earlier version is here')
        return
    run_script(folder)
    for text in older:
        path = os.path.join(folder, NAME, 'dfilter_buttons')
        write(path, text)
        said = run_script('--renew', folder)
        tap.check(read(path) == read_folder(SHIPPED)['dfilter_buttons'] and 'Renewed' in said,
                  'who changed nothing gets the new profile', said)


def test_first_use(tap, workplace):
    """Wireshark copies the machine's profile whole, so that all of it can be renewed. Here "the machine" is a folder."""
    data = os.path.join(workplace.folder, 'data')
    os.makedirs(os.path.join(data, 'profiles'))
    shutil.copytree(SHIPPED, os.path.join(data, 'profiles', NAME))
    own = os.path.join(workplace.home, '.config', 'wireshark', 'profiles')
    shutil.rmtree(os.path.join(own, NAME))
    capture = workplace.hold(os.path.join(REPOSITORY, 'test-captures', 'closed-port-v4-client.pcap'))
    done = workplace.run('env', f'WIRESHARK_DATA_DIR={data}', 'tshark', '-C', NAME, '-r', capture)
    there = os.path.join(own, NAME)
    tap.check(os.path.isdir(there) and read_folder(there) == read_folder(SHIPPED), 'Wireshark copies the profile at its first use',
              done.stdout + done.stderr)


def fill_in(text):
    """The filter as Wireshark makes it of what a file has. What the selected packet has is known in the window only."""
    return text.replace('${tcp.stream}', '0').replace('\\x22', '"')


def compile_filter(workplace, capture, text):
    return workplace.run('tshark', '-r', capture, '-Y', fill_in(text)).stderr


def test_filters(tap, workplace):
    """Each filter in the profile's files is one, and saved filters complete "rst" to every cause."""
    capture = workplace.hold(os.path.join(REPOSITORY, 'test-captures', 'closed-port-v4-client.pcap'))
    files = read_folder(SHIPPED)
    saved = re.findall(r'^"[^"]*" (.*)$', files['dfilters'], re.MULTILINE)
    filters = {'dfilter_buttons': [line.split('","')[2] for line in files['dfilter_buttons'].splitlines()],
               'dfilters': saved,
               'io_graphs': [line.split('","')[2] for line in files['io_graphs'].splitlines()],
               'colorfilters': re.findall(r'^@RST cause.*?@(.*)@\[.*\]\[.*\]$', files['colorfilters'], re.MULTILINE)}
    for name, texts in filters.items():
        wrong = [text + ': ' + compile_filter(workplace, capture, text) for text in texts
                 if text and compile_filter(workplace, capture, text)]
        tap.check(len(texts) > 3 and not wrong, f'filters of {name}', '\n'.join(wrong))
    causes = re.findall(r'"rstcause\.expert\.(\w+)"|rstcause\.expert\.(\w+)', workplace.run('tshark', '-G', 'fields').stdout)
    causes = [(one or other).replace('_', '-') for one, other in causes]
    missing = [cause for cause in causes if f'rstcause == "{cause}"' not in saved]
    tap.check(len(causes) > 10 and not missing, 'a saved filter for each cause', str(missing))
    width = int(re.search(r'"%Cus:rstcause", (\d+)', files['recent'])[1])
    tap.check(width >= LONGEST * max(map(len, causes)), 'the column is wide enough for each cause', str(width))


def test_triggers(tap, workplace):
    """Each button shows what the resets that it shows answer: a double click on a trigger lands on a displayed packet."""
    shown = 0
    buttons = [line.split('","')[1:3] for line in read(os.path.join(SHIPPED, 'dfilter_buttons')).splitlines()]
    for name, text in buttons:
        lacking = []
        for capture in find_captures()[::EVERY]:
            done = workplace.run('tshark', '-2', '-r', workplace.hold(capture), '-Y', fill_in(text), '-T', 'fields', '-e', 'frame.number',
                                 '-e', 'rstcause.trigger')
            rows = [line.split('\t') for line in done.stdout.splitlines()]
            triggers = {trigger for _, trigger in rows if trigger}
            shown += len(triggers)
            lacking += [(os.path.basename(capture), trigger) for trigger in triggers - {frame for frame, _ in rows}]
        tap.check(not lacking, f'the button {name} shows triggers, too', str(lacking))
    tap.check(shown > 20, 'buttons show resets with triggers', str(shown))


def read_colouring_rules(workplace, capture, *fields):
    """Of each reset the rule that colours it and these fields, and what tshark complained of."""
    done = workplace.run('tshark', '--color', '-C', NAME, '-r', workplace.hold(capture), '-Y', 'tcp.flags.reset == 1', '-T', 'fields',
                         '-e', 'frame.coloring_rule.name', *sum((['-e', field] for field in fields), []))
    return [line.split('\t') for line in done.stdout.splitlines()], done.stderr


def test_colours(tap, workplace):
    """Each severity has its colour."""
    captures = [*find_captures()[::EVERY], FORGED]
    rows = sum((read_colouring_rules(workplace, capture, 'rstcause.severity')[0] for capture in captures), [])
    wrong = [row for row in rows if row[0] != f'RST cause: {row[1]}']
    tap.check(not wrong, 'resets are coloured by their severity', str(wrong))
    tap.check({severity for _, severity in rows} == {'chat', 'note', 'warning', 'error'}, 'each severity is there', str(rows))


def test_colours_without_plugin(tap):
    """Resets have Wireshark's own colour then, and no rule is an error: Wireshark's window would open a dialog for each."""
    with Workplace(with_plugin=False) as workplace:
        shutil.copytree(SHIPPED, os.path.join(workplace.home, '.config', 'wireshark', 'profiles', NAME))
        workplace.give_home_away()
        rows, said = read_colouring_rules(workplace, os.path.join(REPOSITORY, 'test-captures', 'closed-port-v4-client.pcap'))
        tap.check(rows == [['TCP RST']], 'without the plugin resets have Wireshark\'s own colour', f'{rows}\n{said}')
        tap.check('Could not compile' not in said, 'without the plugin no colouring rule is an error', said)


def test_column(tap, workplace):
    """Where the column is, the Info column does not say it again."""
    capture = workplace.hold(os.path.join(REPOSITORY, 'test-captures', 'client-loses-power-v4-client.pcap'))
    said = workplace.run('tshark', '-C', NAME, '-r', capture).stdout
    tap.check('half-open 22478 → 6666 [RST]' in said and '[RST cause' not in said, 'the column has the cause', said)


def main():
    tap = Tap()
    with Workplace() as workplace:
        test_sums(tap)
        test_updates(tap, os.path.join(workplace.folder, 'updated'))
        test_older(tap, os.path.join(workplace.folder, 'older'))
        test_filters(tap, workplace)
        test_triggers(tap, workplace)
        test_colours(tap, workplace)
        test_colours_without_plugin(tap)
        test_column(tap, workplace)
        test_first_use(tap, workplace)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
