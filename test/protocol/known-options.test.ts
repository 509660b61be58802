import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callback,
  count,
  flag,
  oneOf,
  type OptionForm,
  relayPort,
  requireKnownOptions,
  text,
  texts,
  thing,
} from '../../src/protocol/known-options.ts';

const forms = { tokenFile: text, pins: texts, onFailure: oneOf('continue', 'throw'), port: relayPort };

test('options that are known and of their form pass, and so do those that are undefined', () => {
  requireKnownOptions('f', {}, forms);
  requireKnownOptions('f', { tokenFile: 'a', pins: ['b'], onFailure: 'throw', port: 0 }, forms);
  requireKnownOptions('f', { tokenFile: undefined, pins: undefined }, forms);
});

test('an unknown option is refused with the one that was meant, and one that is like nothing without', () => {
  const refused = (options: unknown, message: RegExp): void =>
    assert.throws(() => requireKnownOptions('f', options, forms), { code: 'config_invalid', message });
  refused({ tokenfile: 'a' }, /^f: there is no option "tokenfile"; did you mean tokenFile\?$/);
  refused({ onFailur: 'throw' }, /did you mean onFailure\?$/);
  refused({ colour: 'red' }, /^f: there is no option "colour"$/);
  // What every object inherits is no option.
  refused({ toString: 'a' }, /no option "toString"/);
  refused(JSON.parse('{"__proto__": 1}'), /no option "__proto__"/);
  refused({ ['x'.repeat(1_000)]: 1 }, /^.{0,120}$/);
  refused(undefined, /must be an object/);
  refused('text', /must be an object/);
});

test('each form takes its own values alone, and says what it wants without the value', () => {
  const cases: readonly (readonly [OptionForm, readonly unknown[], readonly unknown[]])[] = [
    [text, ['', 'a'], [1, null, {}, ['a']]],
    [texts, [[], ['a']], ['a', [1], null, {}]],
    [flag, [true, false], ['true', 0, null]],
    [count, [0, 3], [-1, 1.5, Number.NaN, '3', Infinity]],
    [callback, [() => 1], ['f', {}, null]],
    [thing, [{}, []], [null, 'a', 1]],
    [relayPort, [0, 65_535, 'off'], [65_536, -1, 'on', '80']],
    [oneOf('a', 'b'), ['a', 'b'], ['c', 1, undefined]],
  ];
  for (const [form, good, bad] of cases) {
    for (const value of good) assert.equal(form.accepts(value), true, `${form.expected}: ${String(value)}`);
    for (const value of bad) assert.equal(form.accepts(value), false, `${form.expected}: ${String(value)}`);
  }
  assert.throws(
    () => requireKnownOptions('f', { tokenFile: ['secret'] }, forms),
    (error: Error) => {
      return /tokenFile must be a text/.test(error.message) && !error.message.includes('secret');
    },
  );
});
