#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the READMEs say is so: commands print what stands below them, tables name what the plugin has, links lead somewhere.

  readme_test.py            tests it
  readme_test.py --update   writes what the commands print now below them, for review

Knows the form of the pages (console blocks, tables by the words of their first column), and nothing of their language:
README.zh-CN.md must have the commands, outputs, headings and tables of README.md, and behind the mark a list of phrases.
"""
import argparse
import os
import re
import shlex
import sys

from capture_test import compare, find_captures
from tap import Tap
from wild_test import read_verdicts, wild_folder
from workplace import REPOSITORY, Workplace

README, CHINESE = 'README.md', 'README.zh-CN.md'
CAPTURES_README = os.path.join('test-captures', 'README.md')
PAGES = (README, os.path.join('plugin', 'README.md'), os.path.join('plugin', 'many', 'README.md'), CAPTURES_README,
         os.path.join('tests', 'README.md'), os.path.join('tests', 'lab', 'README.md'))
MOST_LINES = 200   # of the README, and of its translation
PHRASES = '<!-- phrases -->'
INSTALLER = os.path.join('plugin', 'install.sh')
ELISION = '…'   # a line that stands for any number of lines


def read(path):
    with open(os.path.join(REPOSITORY, path), encoding='utf-8') as file:
        return file.read()


def split(text):
    """The console blocks of a page, and the page without any block of code."""
    blocks = re.findall(r'^```console\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
    return blocks, re.sub(r'^```\w*\n.*?^```$', '', text, flags=re.DOTALL | re.MULTILINE)


def find_examples(block):
    """(command, lines of output) for each command of a block."""
    examples = []
    for line in block.splitlines():
        if line.startswith('$ '):
            examples.append((line[2:], []))
        elif examples:
            examples[-1][1].append(line)
        else:
            sys.exit(f'A block of examples begins without "$ ": {line}')
    return examples


def find_tables(prose):
    """Each table as its rows below the head, a row as its cells."""
    tables = re.findall(r'^\|[ |-]+\|\n((?:\|.*\n)+)', prose, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip('|').split(' | ')] for row in table.splitlines()] for table in tables]


def find_names(table):
    """The names in the first column, one in a cell or several; a table of anything else has none."""
    if not all(re.fullmatch(r'`[\w.-]+`(, `[\w.-]+`)*', row[0]) for row in table):
        return []
    return [name for row in table for name in re.findall(r'`([\w.-]+)`', row[0])]


def matches(expected, got):
    pattern = ''.join(r'(?:.*\n)*' if line == ELISION else re.escape(line) + r'\n' for line in expected)
    return re.fullmatch(pattern, ''.join(line + '\n' for line in got)) is not None


def last_command_of_installer():
    script = read(INSTALLER)
    capture = re.search(r'^ *capture=(test-captures/.*)$', script, re.MULTILINE)[1]
    return re.search(r'^ *(tshark .*"\$capture".*)$', script, re.MULTILINE)[1].replace('"$capture"', capture)


def run_tshark(workplace, command):
    argv = [workplace.hold(os.path.join(REPOSITORY, word)) if word.startswith('test-captures/') else word
            for word in shlex.split(command)]
    done = workplace.run(*argv)
    return done.stdout.rstrip('\n').splitlines(), done.stderr if done.returncode else ''


def find_printer(command):
    """The tshark command that prints what stands below this command; None where nothing of it is shown."""
    if command == f'sh {INSTALLER}':
        return last_command_of_installer()
    return command if command.startswith('tshark ') else None


def test_example(tap, workplace, command, expected):
    printer = find_printer(command)
    if printer is None:
        program = shlex.split(command)[0]
        tap.check(os.access(os.path.join(REPOSITORY, program), os.X_OK), f'there is a program {program}')
        return
    got, complaint = run_tshark(workplace, printer)
    tap.check(not complaint and matches(expected, got), command,
              complaint or compare('\n'.join(expected), '\n'.join(got)))


def renew(workplace, command, expected):
    """The lines that belong below a command. What was left out at the top is left out again."""
    printer = find_printer(command)
    if printer is None:
        return expected
    got, complaint = run_tshark(workplace, printer)
    if complaint:
        sys.exit(f'{command}: {complaint}')
    if expected[:1] != [ELISION]:
        return got
    first = expected[1].split()[0]
    start = next((number for number, line in enumerate(got) if line.split()[:1] == [first]), 0)
    return [ELISION, *got[start:]]


def write_examples():
    with Workplace() as workplace:
        for page in (*PAGES, CHINESE):
            text = read(page)
            for block in split(text)[0]:
                lines = [line for command, expected in find_examples(block)
                         for line in (f'$ {command}', *renew(workplace, command, expected))]
                text = text.replace(block, ''.join(line + '\n' for line in lines))
            with open(os.path.join(REPOSITORY, page), 'w', encoding='utf-8') as file:
                file.write(text)
    return 0


def read_registered(workplace):
    """The fields and the causes that the plugin has, in its order."""
    lines = [line.split('\t') for line in workplace.run('tshark', '-G', 'fields').stdout.splitlines()]
    names = [line[2] for line in lines if line[0] == 'F' and line[4] == 'rstcause_proto']
    prefix = 'rstcause.expert.'
    return ([name for name in names if not name.startswith(prefix)],
            [name.removeprefix(prefix).replace('_', '-') for name in names if name.startswith(prefix)])


def read_names(kind):
    """Of the catalogue's details or patterns, in its order."""
    listed = re.search(kind + r'_names\[.*?\] = \{(.*?)\};', read('plugin/catalogue.c'), re.DOTALL)[1]
    return re.findall(r'"([a-z-]+)"', listed)


def test_tables(tap, workplace, page, prose):
    fields, causes = read_registered(workplace)
    tables = [find_names(table) for table in find_tables(prose)]
    tap.check(causes and causes in tables, f'{page}: the table of causes is the catalogue', f'{causes}\n{tables}')
    tap.check(fields and sorted(fields) in [sorted(names) for names in tables], f'{page}: the table of fields is what is registered',
              f'{fields}\n{tables}')
    tap.check(read_names('pattern') in tables, f'{page}: the table of patterns is the catalogue', str(tables))
    missing = [name for name in read_names('detail') if f'`{name}`' not in prose]
    tap.check(not missing, f'{page}: every detail is named', ' '.join(missing))


def test_length(tap, page, text):
    lines = len(text.splitlines())
    tap.check(lines <= MOST_LINES, f'{page}: at most {MOST_LINES} lines', str(lines))


def test_phrases(tap, workplace, prose):
    tables = [find_names(table) for table in find_tables(prose)]
    for kind, names in (('cause', read_registered(workplace)[1]), ('detail', read_names('detail')), ('pattern', read_names('pattern'))):
        tap.check(names in tables, f'{CHINESE}: the list of phrases explains every {kind}', f'{names}\n{tables}')


def test_links(tap, page, prose):
    folder = os.path.dirname(page)
    targets = [target.split('#') for target in re.findall(r'\]\(([^)]+)\)', prose) if '://' not in target]
    missing = [path for path, *_ in targets if path and not os.path.exists(os.path.join(REPOSITORY, folder, path))]
    named = re.findall(r'`((?:plugin|tests|include|test-captures)/[\w./-]*)`', prose)
    missing += [path for path in named if not os.path.exists(os.path.join(REPOSITORY, path))]
    tap.check(targets + named and not missing, f'{page}: what it refers to is there', ' '.join(missing))


def test_translation(tap, english, chinese):
    tap.check(english[0] == chinese[0], f'{CHINESE}: commands and outputs are those of {README}',
              compare('\n'.join(english[0]), '\n'.join(chinese[0])))
    shapes = [(re.findall(r'^#+', prose, re.MULTILINE), [(len(table), find_names(table)) for table in find_tables(prose)],
               re.findall(r'<!-- .*? -->', prose)) for _, prose in (english, chinese)]
    tap.check(shapes[0] == shapes[1], f'{CHINESE}: headings, tables and marks are those of {README}', f'{shapes[0]}\n{shapes[1]}')


def test_list_of_captures(tap):
    """Each capture is described, once for all ends and families, and no other."""
    prose = split(read(CAPTURES_README))[1]
    there = {re.sub(r'(-v[46])?([-.]client|[-.]server)?\.pcap(ng)?(\.gz)?$', '', os.path.basename(path)) for path in find_captures()}
    named = {name for table in find_tables(prose) for name in find_names(table)}
    tap.check(there == named, f'{CAPTURES_README}: every capture is described', ' '.join(sorted(there ^ named)))


def is_said(said, verdict, is_alone):
    """Whether a cell such as "`abort`, trigger #5, likely" is what the plugin says; a trigger is one reset's only."""
    confidence = re.search(r'\b(certain|likely|possible)\b', said)
    trigger = re.search(r'trigger #(\d+)', said) if is_alone else None
    return (re.match(r'`([a-z-]+)`', said)[1] == verdict['rstcause']
            and (not confidence or confidence[1] == verdict['rstcause.confidence'])
            and (not trigger or trigger[1] == verdict['rstcause.trigger']))


def test_hard_resets(tap, workplace):
    """What the page says that the plugin says of the hardest public resets; rows with file, frames and causes."""
    rows = [row for table in find_tables(split(read(CAPTURES_README))[1]) for row in table
            if re.match(r'\d+$', row[0]) and len(row) > 3]
    tap.check(len(rows) == 20, f'{CAPTURES_README}: twenty resets are discussed', str(len(rows)))
    if not os.path.isdir(wild_folder('wild-captures')):
        tap.skip('the discussed verdicts', 'the public captures are not here')
        return
    wrong = []
    for _, places, said, *_ in rows:
        for file, frames in re.findall(r'`(\S+?)` ([\d, ]+)', places):
            verdicts = read_verdicts(workplace, os.path.join(wild_folder('wild-captures'), file))
            frames = re.findall(r'\d+', frames)
            wrong += [f'{file} {frame}: {said}, but it says {verdicts[frame]}' for frame in frames
                      if not is_said(said, verdicts[frame], len(frames) == 1)]
    tap.check(not wrong, f'{CAPTURES_README}: the discussed verdicts are the plugin\'s', '\n'.join(wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--update', action='store_true')
    if parser.parse_args().update:
        return write_examples()

    tap = Tap()
    translation, _, phrases = read(CHINESE).partition(PHRASES)
    english, chinese = split(read(README)), split(translation)
    with Workplace() as workplace:
        for page in PAGES:
            for block in split(read(page))[0]:
                for command, expected in find_examples(block):
                    test_example(tap, workplace, command, expected)
        for page, (_, prose) in ((README, english), (CHINESE, chinese)):
            test_tables(tap, workplace, page, prose)
        for page in (*PAGES, CHINESE):
            test_links(tap, page, split(read(page))[1])
        for page, text in ((README, read(README)), (CHINESE, translation)):
            test_length(tap, page, text)
        test_phrases(tap, workplace, phrases)
        test_translation(tap, english, chinese)
        test_list_of_captures(tap)
        test_hard_resets(tap, workplace)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
