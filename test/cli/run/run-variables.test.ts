// Which variables of the environment the command gets as placeholders, and where their secrets go.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { replaceVariables } from '../../../src/cli/run/run-variables.ts';
import { knownVariables } from '../../../src/policy/catalog/known-variables.ts';

const none = { keep: [], named: [] };

function placesOf(
  environment: Record<string, string>,
  options = none as Parameters<typeof replaceVariables>[1],
) {
  const { values, credentials, note } = replaceVariables(environment, options);
  const places = credentials.map(
    ({ place, field = 'authorization' }) => `${place.host}:${place.port}${place.path} ${field}`,
  );
  return { names: Object.keys(values), values, places: places.toSorted(), note, credentials };
}

test('what the catalogue knows becomes a placeholder of the same form, for its hosts alone', () => {
  const secret = ['ghp', 'abcdefghij0123456789ABCDEFGHIJ012345'].join('_');
  const found = placesOf({ GITHUB_TOKEN: secret, OPENAI_API_KEY: '', HOME: '/h', OTHER_TOKEN: 'x' });
  assert.deepEqual(found.names, ['GITHUB_TOKEN']);
  assert.match(found.values['GITHUB_TOKEN'] ?? '', /^ghp_[a-z]{10}[0-9]{10}[A-Z]{10}[0-9]{6}$/);
  assert.notEqual(found.values['GITHUB_TOKEN'], secret);
  assert.deepEqual(found.places, [
    'api.github.com:443/ authorization',
    'github.com:443/ authorization',
    'raw.githubusercontent.com:443/ authorization',
    'uploads.github.com:443/ authorization',
  ]);
  assert.ok(found.credentials.every((one) => one.service?.entry === 'github' && one.isVariable === true));
  assert.match(
    found.note,
    /^upstreamproxy: variables with placeholders: GITHUB_TOKEN \(for api\.github\.com, .*--keep-env NAME/,
  );
  assert.deepEqual(placesOf({ ANTHROPIC_API_KEY: 'sk-ant-x' }).places, ['api.anthropic.com:443/ x-api-key']);
});

test('the address that the tools are led to has it instead, where it is https', () => {
  const led = (value: string) => placesOf({ OPENAI_API_KEY: 'sk-x', OPENAI_BASE_URL: value });
  assert.deepEqual(led('https://models.test:8443/v1/').places, ['models.test:8443/v1 authorization']);
  assert.deepEqual(led('https://api.openai.com/v1').places, ['api.openai.com:443/ authorization']);
  for (const value of [
    'http://models.test/v1',
    'https://u:p@models.test/',
    'https://models.test/?a=b',
    'ftp://x',
  ]) {
    const { names, places, note } = led(value);
    assert.deepEqual([names, places], [[], []], value);
    assert.match(note, /OPENAI_API_KEY stays as it is: OPENAI_BASE_URL leads to no https:\/\/ address/);
  }
  // A server of one's own with all that the service has: nothing of it goes to the service.
  const enterprise = placesOf({ GITHUB_TOKEN: 'ghp_x', GITHUB_API_URL: 'https://ghe.test/api/v3' });
  assert.deepEqual(enterprise.places, ['ghe.test:443/ authorization']);
  const corporate = placesOf({ GITLAB_TOKEN: 'glpat-x', CI_SERVER_URL: 'https://gitlab.test' });
  assert.deepEqual(corporate.places, ['gitlab.test:443/ authorization', 'gitlab.test:443/ private-token']);
  for (const [host, names] of [
    ['ghe.test', []],
    ['acme.ghe.com', []],
    ['github.com', ['GH_TOKEN']],
  ] as const)
    assert.deepEqual(placesOf({ GH_TOKEN: 'ghp_x', GH_HOST: host }).names, names, host);
  assert.ok(
    placesOf({ GH_TOKEN: 'ghp_x', GH_HOST: 'github.com' }).places.includes(
      'api.github.com:443/ authorization',
    ),
  );
});

test('the caller says what stays, and where a variable of any name goes', () => {
  assert.deepEqual(placesOf({ GH_TOKEN: 'ghp_x' }, { keep: ['GH_TOKEN'], named: [] }).names, []);
  const named = placesOf(
    { NPM_TOKEN: 'npm_x' },
    { keep: [], named: ['NPM_TOKEN@registry.example', 'NPM_TOKEN@other.example:8443'] },
  );
  assert.deepEqual(named.places, [
    'other.example:8443/ authorization',
    'registry.example:443/ authorization',
  ]);
  assert.ok(named.credentials.every((one) => one.service === undefined));
  assert.deepEqual(placesOf({ NPM_TOKEN: 'npm_x' }).names, [], 'nobody said which registry');
  // The caller's word, and not the catalogue's beside it.
  assert.deepEqual(placesOf({ GH_TOKEN: 'ghp_x' }, { keep: [], named: ['GH_TOKEN@ghe.test'] }).places, [
    'ghe.test:443/ authorization',
  ]);
  for (const wrong of ['NPM_TOKEN', '@host', 'A B@host', 'NPM_TOKEN@', 'NPM_TOKEN@a/b', 'NPM_TOKEN@http://x'])
    assert.throws(() => placesOf({ NPM_TOKEN: 'x' }, { keep: [], named: [wrong] }), {
      code: 'usage',
      message: /NAME@HOST/,
    });
  assert.throws(() => placesOf({}, { keep: [], named: ['NPM_TOKEN@registry.example'] }), {
    code: 'usage',
    message: /no variable/,
  });
});

test('a tool that looks at the form of its key takes the placeholder', () => {
  for (const [name, secret, form] of [
    ['STRIPE_API_KEY', 'rk_test_51HabcDEF', /^rk_test_[0-9]{2}[A-Z][a-z]{3}[A-Z]{3}/],
    ['SLACK_BOT_TOKEN', 'xoxb-123-abc', /^xoxb-[0-9]{3}-[a-z]{3}/],
    ['ANTHROPIC_API_KEY', 'sk-ant-api03-abc', /^sk-ant-api03-[a-z]{3}/],
    ['GEMINI_API_KEY', 'AIzaSyAbc', /^AIza[A-Z][a-z][A-Z][a-z]{2}/],
  ] as const)
    assert.match(placesOf({ [name]: secret }).values[name] ?? '', form);
});

test('what no field can have stays as it is', () => {
  const { names, note } = placesOf({ GH_TOKEN: 'two words', OPENAI_API_KEY: 'x'.repeat(100_000) });
  assert.deepEqual(names, []);
  assert.match(note, /GH_TOKEN stays as it is: it has characters/);
  assert.match(note, /OPENAI_API_KEY stays as it is: it is too long/);
});

test("no variable is known whose host would be somebody else's choice", () => {
  for (const [name, { places }] of knownVariables())
    for (const { host } of places) assert.doesNotMatch(host, /[*{]/, name);
  assert.ok(!knownVariables().has('NPM_TOKEN') && !knownVariables().has('JIRA_API_TOKEN'));
});
