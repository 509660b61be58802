import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { CommandDefinition, GroupDefinition } from '../../../src/cli/definition/command-definition.ts';
import { parseCommand, parseGroup } from '../../../src/cli/definition/parse-arguments.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists',
  arguments: [],
  options: {
    number: {
      kind: 'number',
      short: 'n',
      placeholder: 'N',
      min: 1,
      max: 100,
      otherwise: 20,
      help: 'how many',
    },
    json: { kind: 'flag', short: 'j', help: 'as JSON' },
  },
  examples: [],
} as const satisfies CommandDefinition;

const move = {
  kind: 'command',
  name: 'move',
  summary: 'moves',
  arguments: [
    { name: 'FROM', help: 'the old place', required: true },
    { name: 'TO', help: 'new places', repeated: true },
  ],
  options: {
    reason: { kind: 'value', placeholder: 'TEXT', help: 'why', required: true },
    tag: { kind: 'repeated', each: 'text', placeholder: 'TAG', help: 'a mark' },
  },
  examples: [],
} as const satisfies CommandDefinition;

const wrap = {
  kind: 'command',
  name: 'wrap',
  summary: 'wraps',
  arguments: [],
  command: 'what is wrapped',
  options: { quiet: { kind: 'flag', short: 'q', help: 'says nothing' } },
  examples: [],
} as const satisfies CommandDefinition;

const group = {
  kind: 'group',
  name: 'box',
  summary: 'boxes',
  question: 'what about boxes?',
  actions: [list, move],
} as const satisfies GroupDefinition;

const fails = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError && error.code === 'usage');
  assert.match(error.message, message);
  assert.match(error.message, /; see: upstreamproxy help [a-z ]+$|^--[a-z]+ takes /);
  assert.ok(!error.message.includes('\n'));
  return true;
};

const silent = { quiet: false, verbose: false };

test('options and arguments are told apart wherever they stand, and come as their kinds', () => {
  const input = parseCommand(move, ['a', '--reason', 'r', 'b', '--tag=x', 'c', '--tag', 'y']);
  assert.deepEqual(input.options, { reason: 'r', tag: ['x', 'y'], ...silent });
  assert.deepEqual(input.arguments, { FROM: 'a', TO: ['b', 'c'] });
  assert.deepEqual(parseCommand(list, []).options, { number: 20, json: false, ...silent });
  assert.deepEqual(parseCommand(list, ['-jn5']).options, { number: 5, json: true, ...silent });
  assert.deepEqual(parseCommand(move, ['--reason=-x', '--', '--a']).arguments, { FROM: '--a', TO: [] });
});

test('what every command takes stands anywhere, and one of both alone', () => {
  assert.deepEqual(parseCommand(list, ['-q', '--json']).options, {
    number: 20,
    json: true,
    quiet: true,
    verbose: false,
  });
  const { input, unused } = parseGroup(group, ['--verbose', 'list']);
  assert.deepEqual(input.options, { number: 20, json: false, quiet: false, verbose: true });
  assert.deepEqual(unused, []);
  assert.throws(
    () => parseCommand(list, ['--quiet', '--verbose']),
    fails(/^give --quiet or --verbose, not both; /),
  );
  assert.throws(() => parseCommand(list, ['--verbse']), fails(/did you mean --verbose\?/));
});

test('a wrong command line is one line that names the command, what is wrong and where to look', () => {
  for (const [args, message] of [
    [[], /^upstreamproxy move needs --reason TEXT: why; /],
    [
      ['--reason', 'x'],
      /^name FROM, the old place: upstreamproxy move FROM \[TO …\] --reason TEXT \[options\]/,
    ],
    [['a', '--reason'], /^--reason TEXT: the value is missing; /],
    [['a', '--reason', '--tag', 'x'], /^--reason TEXT: the value is missing, or write --reason=--tag; /],
    [['a', '--raeson', 'x'], /^upstreamproxy move has no option --raeson; did you mean --reason\?; /],
    [['a', '--zzzzz'], /^upstreamproxy move has no option --zzzzz; see/],
    [['a', '--__proto__', '--constructor'], /has no option --__proto__; see/],
  ] as const)
    assert.throws(() => parseCommand(move, args), fails(message), args.join(' '));
  assert.throws(() => parseCommand(list, ['x']), fails(/^there is no place for "x" in upstreamproxy list/));
  assert.throws(() => parseCommand(list, ['--json=1']), fails(/^--json takes no value; /));
  assert.throws(() => parseCommand(list, ['-N', '3']), fails(/has no option -N; did you mean -n\?/));
  assert.throws(() => parseCommand(list, ['--number', 'x']), fails(/^--number takes a number from 1 to 100/));
});

test('what stands behind -- is the other command line, and without -- all arguments are', () => {
  assert.deepEqual(parseCommand(wrap, ['-q', '--', 'npm', '--version', '--']).command, [
    'npm',
    '--version',
    '--',
  ]);
  assert.deepEqual(parseCommand(wrap, ['-q', 'npm', 'ci']).command, ['npm', 'ci']);
  for (const args of [[], ['-q'], ['--'], ['npm', '--', 'ci']])
    assert.throws(() => parseCommand(wrap, args), fails(/^name the command behind --: upstreamproxy wrap /));
});

test('an option behind the name of another command is taken by nobody, but asked whose it is', () => {
  for (const [args, line] of [
    [['npm', '--version'], 'upstreamproxy wrap -- npm --version'],
    [['npm', '-q', 'ci'], 'upstreamproxy wrap -- npm -q ci'],
    [['-q', 'curl', '-H', 'a: b', 'x'], "upstreamproxy wrap -q -- curl -H 'a: b' x"],
    [['npm', '--version', '--', 'ci'], 'upstreamproxy wrap -- npm --version ci'],
  ] as const)
    assert.throws(
      () => parseCommand(wrap, args),
      (error: unknown) => {
        assert.ok(error instanceof ProxyError && error.code === 'usage');
        assert.match(
          error.message,
          /^whose option is "-[^"]+"\? ours stand before --, the command with its own behind it: /,
        );
        assert.ok(error.message.includes(`: ${line}; see: upstreamproxy help wrap`), error.message);
        return true;
      },
    );
  assert.throws(
    () => parseCommand(wrap, ['-x', 'npm']),
    fails(/^upstreamproxy wrap has no option -x; options of the command stand behind --; /),
  );
});

test('an action is found behind options; what it has no use for is taken, told and not looked at', () => {
  const { action, input, unused } = parseGroup(group, ['--tag', 'x', 'list', '-n', '3', '--reason', 'y']);
  assert.equal(action, 'list');
  assert.deepEqual(input.options, { number: 3, json: false, ...silent });
  assert.deepEqual(unused, ['tag', 'reason']);
  assert.deepEqual(parseGroup(group, ['move', 'a', '--reason', 'r', '--number', 'none']).unused, ['number']);
});

test('an action that is missing or mistyped is asked for', () => {
  assert.throws(() => parseGroup(group, []), fails(/^what about boxes\? upstreamproxy box list or move; /));
  assert.throws(
    () => parseGroup(group, ['lsit']),
    fails(/^there is no command "box lsit"; did you mean box list\?; /),
  );
  assert.throws(
    () => parseGroup(group, ['stop']),
    fails(/^there is no command "box stop"; what about boxes\? /),
  );
  assert.throws(() => parseGroup(group, ['constructor']), fails(/^there is no command "box constructor"; /));
  assert.throws(
    () => parseGroup(group, ['move', '--reason', 'r']),
    fails(/: upstreamproxy box move FROM .*; see: upstreamproxy help box move$/),
  );
});

test('whatever is typed is read or refused as usage', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'list',
      'move',
      '--',
      '-',
      '-n',
      '-j',
      '--json',
      '--number',
      '--reason',
      '--tag',
      '-nj',
      '5',
      '',
    ),
    fc.string({ maxLength: 6 }),
    fc.string({ maxLength: 4 }).map((text) => `--${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      try {
        const { action, input } = parseGroup(group, args);
        assert.ok(action === 'list' || action === 'move');
        assert.ok(
          action === 'list'
            ? Number.isInteger(input.options['number'])
            : input.arguments['FROM'] !== undefined,
        );
      } catch (error) {
        assert.ok(error instanceof ProxyError, String(error));
        assert.equal(error.code, 'usage');
      }
    }),
    { seed: 5, numRuns: 2000 },
  );
});
