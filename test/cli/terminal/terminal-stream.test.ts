// When text has colours and links: by what the environment says, and by what the very stream is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linked, painted, terminalStream } from '../../../src/cli/terminal/terminal-stream.ts';

const escape = '\u001b';
const terminal = { isTTY: true };
const file = {};

test('colours are for a terminal, unless somebody says otherwise', () => {
  for (const [environment, atTerminal, inFile] of [
    [{}, true, false],
    [{ TERM: 'xterm-256color' }, true, false],
    [{ TERM: 'dumb' }, false, false],
    [{ NO_COLOR: '1' }, false, false],
    [{ NO_COLOR: '0' }, false, false],
    [{ NO_COLOR: '' }, true, false],
    [{ CLICOLOR: '0' }, false, false],
    [{ CLICOLOR: '1' }, true, false],
    [{ CLICOLOR_FORCE: '1' }, true, true],
    [{ CLICOLOR_FORCE: '' }, true, false],
    [{ CLICOLOR_FORCE: '0' }, false, false],
    [{ CLICOLOR_FORCE: '1', TERM: 'dumb' }, true, true],
    [{ CLICOLOR_FORCE: '1', CLICOLOR: '0' }, true, true],
    [{ FORCE_COLOR: '3' }, true, true],
    [{ FORCE_COLOR: '0' }, false, false],
    [{ FORCE_COLOR: 'false' }, false, false],
    [{ CLICOLOR_FORCE: '1', NO_COLOR: '1' }, false, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, false],
  ] as const) {
    const of = (stream: object): boolean => terminalStream(stream, environment).hasColors;
    assert.deepEqual([of(terminal), of(file)], [atTerminal, inFile], JSON.stringify(environment));
  }
});

test('links are for a terminal that is known to have them', () => {
  for (const [environment, isShown] of [
    [{}, false],
    [{ TERM: 'xterm-256color' }, false],
    [{ TERM: 'xterm-kitty' }, true],
    [{ TERM: 'xterm-256color', VTE_VERSION: '7600' }, true],
    [{ VTE_VERSION: '4999' }, false],
    [{ VTE_VERSION: 'x' }, false],
    [{ TERM_PROGRAM: 'WezTerm' }, true],
    [{ TERM_PROGRAM: 'Apple_Terminal' }, false],
    [{ TERM: 'screen-256color', VTE_VERSION: '7600' }, false],
    [{ TERM: 'tmux-256color', TERM_PROGRAM: 'WezTerm' }, false],
    [{ FORCE_HYPERLINK: '1' }, true],
    [{ FORCE_HYPERLINK: '0', TERM: 'xterm-kitty' }, false],
    [{ TERM: 'dumb', FORCE_HYPERLINK: '1' }, false],
    [{ NO_COLOR: '1', FORCE_HYPERLINK: '1' }, false],
  ] as const) {
    assert.equal(terminalStream(terminal, environment).hasLinks, isShown, JSON.stringify(environment));
    assert.equal(terminalStream(file, environment).hasLinks, false, JSON.stringify(environment));
  }
});

test('a line that is written again is for a terminal alone, whatever is said of colours', () => {
  assert.equal(terminalStream(terminal, { NO_COLOR: '1' }).hasProgress, true);
  assert.equal(terminalStream(terminal, { TERM: 'dumb' }).hasProgress, false);
  assert.equal(terminalStream(file, { CLICOLOR_FORCE: '1' }).hasProgress, false);
});

test('what strangers wrote is made harmless before it has a colour, and without one too', () => {
  const text = `a${escape}[2J\n\u202eb`;
  const shown = String.raw`a\u{1b}[2J\u{a}\u{202e}b`;
  assert.equal(painted(terminalStream(file, {}), 'bad', text), shown);
  assert.equal(painted(terminalStream(terminal, {}), 'bad', text), `${escape}[31m${shown}${escape}[39m`);
});

test('a link leaves the text as it is, and its address cannot end it', () => {
  const target = new URL(`https://docs.test/a b${escape}]8;;\u0007"#${escape}x`);
  const stream = terminalStream(terminal, { TERM: 'xterm-kitty' });
  const [, address = '', text] =
    // oxlint-disable-next-line no-control-regex -- That is what it looks for.
    /^\u001b\]8;;([^\u001b]*)\u001b\\(.*)\u001b\]8;;\u001b\\$/.exec(linked(stream, 'usage', target)) ?? [];
  assert.match(address, /^https:\/\/docs\.test\/[!-~]+$/);
  assert.equal(text, 'usage');
  assert.equal(linked(terminalStream(file, {}), 'usage', target), 'usage');
  assert.equal(linked(stream, 'usage', undefined), 'usage');
});
