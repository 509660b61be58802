// A request as a command: a real shell reads it as what was asked, whatever the path holds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnSync } from 'node:child_process';
import { randomTexts } from '../support/random-texts.ts';
import { curlCommand } from '../../../src/console/model/curl-command.ts';
import { event } from '../support/event.ts';

const common = { scheme: 'https', host: 'api.example.com', port: 443 };

test('method, host, port and path are those of the event', () => {
  assert.equal(
    curlCommand(event('a', { ...common, path: '/v1/items?page=1' })),
    "curl --globoff --url 'https://api.example.com/v1/items?page=1'",
  );
  assert.equal(
    curlCommand(event('a', { ...common, port: 8443, method: 'POST', path: '/' })),
    'curl --globoff --request POST --url https://api.example.com:8443/',
  );
  assert.match(curlCommand(event('a', { ...common, method: 'HEAD' })) ?? '', / --head /);
  assert.equal(curlCommand(event('a', { ...common, method: 'GET\nrm' })), undefined);
});

test('a shell reads one command of one line', () => {
  const paths = randomTexts({ seed: 16, count: 300, lengthMax: 60 });
  const tricky = ["/'; touch /tmp/x; '", '/$(id)`id`', '/a\nb', '/\u202ex', "/'\\''"];
  const commands = [...tricky, ...paths].map((path) => curlCommand(event('a', { ...common, path })) ?? '');
  for (const command of commands) assert.match(command, /^[\x20-\x7e]+$/);
  // A function in its place prints what it is given.
  const script = `curl() { printf '%s\\0' "$#" "$3"; }\n${commands.join('\n')}`;
  const { stdout, stderr } = spawnSync('sh', { input: script, encoding: 'utf8' });
  assert.equal(stderr, '');
  const words = stdout.split('\0').slice(0, -1);
  assert.equal(words.length, commands.length * 2);
  for (let index = 0; index < words.length; index += 2) {
    assert.equal(words[index], '3');
    assert.match(words[index + 1] ?? '', /^https:\/\/api\.example\.com/);
  }
});
