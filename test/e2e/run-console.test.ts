// `run --ui`: the command, of the same user, tries to reach the console in every way that it has, with a network of its own and without. A port beside it is the control.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { hasIpv6Loopback } from '../support/ipv6-loopback.ts';
import { launcher, waitForFile } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const linkPattern = /http:\/\/([a-z]{20}\.localhost|127\.0\.0\.1):(\d+)\/#log-in=([A-Za-z0-9_-]{43})/;

let control: Server;
let controlPort: number;

before(async () => {
  control = createServer((_, response) => response.end('the control was reached'));
  control.listen(0, '127.0.0.1');
  await once(control, 'listening');
  controlPort = (control.address() as AddressInfo).port;
});
after(() => {
  control?.close();
});

/** Prints a line for each way to a port that is written to the file: its name, and what came of it. */
const program = (file: string, host: string): string => `
  const http = require('node:http');
  const fs = require('node:fs');
  const line = (name, what) => console.log(name + ': ' + String(what).replace(/\\s+/g, ' '));
  const proxy = new URL(process.env.http_proxy);
  const asked = (name, options) => new Promise((done) => {
    const request = http.request({ timeout: 5000, agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece)).on('end', () => (line(name, response.statusCode + ' ' + text), done()));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => (line(name, error.code ?? error.message), done()));
    request.end(options.body);
  });
  (async () => {
    while (!fs.existsSync(${JSON.stringify(file)})) await new Promise((done) => setTimeout(done, 20));
    const [label, port, sign] = fs.readFileSync(${JSON.stringify(file)}, 'utf8').split(':');
    // The rules are in force once they lead to the port that is their sign.
    const inForce = () => new Promise((done) => http.get(
      { agent: false, host: proxy.hostname, port: proxy.port, path: 'http://127.0.0.1:' + sign + '/', headers: { host: '127.0.0.1:' + sign } },
      (response) => (response.resume(), done(response.statusCode === 200))).on('error', () => done(false)));
    while (!(await inForce())) await new Promise((done) => setTimeout(done, 50));
    const own = label + ':' + port;
    const through = (name, host, path = '/v1/who') =>
      asked(name, { host: proxy.hostname, port: proxy.port, path: 'http://' + host + ':' + port + path, headers: { host: host + ':' + port } });
    const tunnelled = (name, host) => new Promise((done) => {
      const request = http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: host + ':' + port, agent: false });
      request.on('error', (error) => (line(name, error.code), done()));
      request.on('connect', (response, socket) => {
        let text = '';
        socket.on('data', (piece) => (text += piece)).on('error', () => undefined).on('close', () => (line(name, text || 'closed'), done()));
        socket.end('GET /v1/who HTTP/1.1\\r\\nHost: ' + host + ':' + port + '\\r\\nConnection: close\\r\\n\\r\\n');
      });
      request.end();
    });
    await asked('directly', { host: '127.0.0.1', port, path: '/v1/who', headers: { host: own } });
    await asked('directly, with a guess', { host: '127.0.0.1', port, path: '/v1/log-in', method: 'POST', body: '{"secret":"x"}', headers: { host: own, 'content-type': 'application/json' } });
    await asked('directly, by another name', { host: '127.0.0.1', port, path: '/', headers: { host: ${JSON.stringify(host)} } });
    await through('by address', '127.0.0.1');
    await through('by its name', label);
    await through('by localhost', 'localhost');
    await through('by IPv6', '[::1]');
    await through('by address, mapped', '[::ffff:127.0.0.1]');
    await through('by a name that leads there', ${JSON.stringify(host)});
    await tunnelled('by CONNECT', '127.0.0.1');
    await tunnelled('by CONNECT to its name', label);
    for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
      for (const place of ['root' + process.env.STATE, 'environ', 'cmdline'])
        try {
          const path = '/proc/' + pid + '/' + place;
          const text = fs.statSync(path).isDirectory() ? fs.readdirSync(path, { recursive: true }).join(' ') : fs.readFileSync(path, 'utf8');
          if (/log-in=|console\\.html|upadm_/.test(text) && !text.includes('while (!fs')) line('by a process', '200 ' + text.slice(0, 200));
        } catch {}
    }
    for (const name of fs.readdirSync('/proc/self/fd')) {
      let to = '';
      try { to = fs.readlinkSync('/proc/self/fd/' + name); } catch {}
      if (/upstreamproxy|console/.test(to)) line('by a descriptor', '200 ' + to);
    }
    for (const path of [process.env.STATE, process.env.STATE + '/runs'])
      try {
        const names = fs.readdirSync(path, { recursive: true });
        if (names.length > 0 && names.some((name) => /console|state|gateway/.test(name))) line('by the folder', '200 ' + names.join(' '));
      } catch {}
    line('end', 'reached');
  })();`;

interface Tried {
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Runs it with rules that lead to all of loopback, and names the port: that of the console, or another. */
async function tried(options: readonly string[], port: 'console' | 'control'): Promise<Tried> {
  await using folder = await temporaryDirectory();
  const target = join(folder.path, 'target');
  const addresses = ['127.0.0.0/8', '::1/128'];
  const hosts = ['127.0.0.1', '[::1]', 'rebound.test'];
  const policy = join(folder.path, 'policy.yaml');
  const write = async (path: string, text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const rules = (ports: readonly number[], ...more: readonly string[]): string =>
    JSON.stringify({
      rules: [{ name: 'loopback', hosts: [...hosts, ...more], scheme: 'http', ports, addresses }],
    });
  await write(policy, rules([1]));
  const config = join(folder.path, 'gateway.yaml');
  const upstream = { hosts: { 'rebound.test': '127.0.0.1' } };
  await writeFile(config, JSON.stringify({ policy: 'policy.yaml', upstream }));
  const state = join(folder.path, 'state');
  const child = spawn(
    launcher,
    [
      'run',
      '--ui',
      // For the port that the rules name is known only then.
      '--follow-policy',
      '--config',
      config,
      ...options,
      '--',
      process.execPath,
      '-e',
      program(target, 'rebound.test'),
    ],
    {
      env: { ...process.env, XDG_STATE_HOME: state, STATE: join(state, 'upstreamproxy') },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
  const closed = once(child, 'close');
  const named = Promise.withResolvers<void>();
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece;
    if (linkPattern.test(stderr)) named.resolve();
  });
  await Promise.race([named.promise, closed]);
  const [, label = '', consolePort = ''] = linkPattern.exec(stderr) ?? [];
  assert.notEqual(label, '', stderr);
  await write(policy, rules([Number(consolePort), controlPort], label));
  await write(target, `${label}:${port === 'console' ? consolePort : controlPort}:${controlPort}`);
  await closed;
  assert.match(stdout, /^end: reached$/m, stdout + stderr);
  return { lines: stdout.trim().split('\n'), stderr };
}

const layers = 'files,no-new-privs,landlock,seccomp';
const skipNetwork = captureObstacle();

for (const [what, options, skip] of [
  ['a network of its own', [], skipNetwork],
  ['the network outside', ['--jail-layers', layers], false],
] as const) {
  test(`the control: with ${what} the same rules lead to a port beside the console`, { skip }, async () => {
    const { lines } = await tried(options, 'control');
    const reached = new Set(
      lines.filter((line) => line.includes('the control was reached')).map((line) => line.split(':')[0]),
    );
    for (const name of ['by address', 'by a name that leads there', 'by CONNECT'])
      assert.ok(reached.has(name), lines.join('\n'));
    assert.equal(reached.has('directly'), options.length > 0, lines.join('\n'));
  });

  test(`with ${what} no way of the command leads to the console`, { skip }, async () => {
    const { lines, stderr } = await tried(options, 'console');
    for (const line of lines) {
      assert.doesNotMatch(line, /: 200|HTTP\/1\.1 200|"role"/, line);
      // No rule leads there, so it does not even respond.
      if (/^by (?:address|its|localhost|IPv6|a name|CONNECT)/.test(line))
        assert.doesNotMatch(line, /operator_unknown|authority_mismatch/, line);
    }
    const directly = lines.filter((line) => line.startsWith('directly'));
    assert.equal(directly.length, 3);
    if (options.length === 0) for (const line of directly) assert.match(line, /ECONNREFUSED/);
    else assert.match(stderr, /no network of its own, so it reaches the port/);
    if (options.length > 0) assert.match(directly.join('\n'), /401[^]*401[^]*421/);
  });
}

/** Reads `label:port`, and tries to stand where a browser could look for the name of the console. */
const usurper = `
  const http = require('node:http');
  const net = require('node:net');
  let text = '';
  const taken = (options) => new Promise((done) => {
    const server = net.createServer().on('error', (error) => done(error.code));
    server.listen(options, () => server.close(() => done('taken')));
  });
  const asked = (host, port, name) => new Promise((done) => {
    http.get({ host, port, path: '/v1/who', agent: false, headers: { host: name + ':' + port } }, (response) => {
      response.resume();
      done(response.statusCode);
    }).on('error', (error) => done(error.code));
  });
  process.stdin.on('data', (piece) => (text += piece)).on('end', async () => {
    const [label, port] = [text.split(':')[0], Number(text.split(':')[1])];
    const results = { bound: {}, asked: {} };
    for (const host of ['127.0.0.1', '::1', '0.0.0.0', '::'])
      for (const more of [{}, { reusePort: true }, { ipv6Only: true }])
        results.bound[host + JSON.stringify(more)] = await taken({ host, port, ...more });
    results.control = await taken({ host: '::1', port: 0 });
    for (const host of ['127.0.0.1', '::1'])
      for (const name of [label, 'localhost', '[::1]'])
        results.asked[host + ' ' + (name === label ? 'label' : name)] = await asked(host, port, name);
    console.log(JSON.stringify(results));
  });`;

const skipIpv6 = hasIpv6Loopback() ? false : 'this machine has no ::1';

test(
  'a command with the network outside finds no address of loopback at which it could serve the name of the link',
  { skip: skipIpv6 },
  async () => {
    await using folder = await temporaryDirectory();
    const command = [process.execPath, '-e', usurper];
    const child = spawn(launcher, ['run', '--ui', '--jail-layers', layers, '--', ...command], {
      env: { ...process.env, XDG_STATE_HOME: folder.path },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
    const closed = once(child, 'close');
    const named = Promise.withResolvers<void>();
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece;
      if (linkPattern.test(stderr)) named.resolve();
    });
    await Promise.race([named.promise, closed]);
    const [, label = '', port = ''] = linkPattern.exec(stderr) ?? [];
    child.stdin.end(`${label}:${port}`);
    assert.deepEqual(await closed, [0, null], stderr);
    const { bound, asked, control } = JSON.parse(stdout) as {
      readonly bound: Readonly<Record<string, string>>;
      readonly asked: Readonly<Record<string, string>>;
      readonly control: string;
    };
    assert.equal(control, 'taken');
    assert.equal(Object.keys(bound).length, 12);
    for (const [way, what] of Object.entries(bound)) assert.match(what, /^E[A-Z]+$/, way);
    assert.deepEqual(asked, {
      '127.0.0.1 label': 401,
      '127.0.0.1 localhost': 421,
      '127.0.0.1 [::1]': 421,
      '::1 label': 401,
      '::1 localhost': 421,
      '::1 [::1]': 421,
    });
  },
);

test('the link stands on the terminal before the command starts, and in no argument, variable or file that is left', async () => {
  await using folder = await temporaryDirectory();
  const env = { ...process.env, XDG_STATE_HOME: folder.path };
  const shown = await runCommand(launcher, ['run', '--ui', '--', 'sh', '-c', 'echo started >&2; env'], {
    env,
  });
  assert.equal(shown.code, 0, shown.stderr);
  const [whole = '', , , secret = 'none'] = linkPattern.exec(shown.stderr) ?? [];
  assert.ok(shown.stderr.indexOf(whole) < shown.stderr.indexOf('started'), shown.stderr);
  assert.ok(!shown.stdout.includes(secret));
  const runs = join(folder.path, 'upstreamproxy', 'runs');
  for (const name of await readdir(runs, { recursive: true, withFileTypes: true }))
    if (name.isFile())
      assert.ok(!(await readFile(join(name.parentPath, name.name))).includes(secret), name.name);
});

test(
  '--open hands the link over by a file that this user alone reads, whose name alone is an argument',
  { skip: skipNetwork },
  async () => {
    await using folder = await temporaryDirectory();
    const told = join(folder.path, 'told');
    const opener = join(folder.path, 'xdg-open');
    await writeFile(
      opener,
      `#!/bin/sh\nprintf '%s\\n' "$@" > "${told}.new"\nstat -c %a "$1" >> "${told}.new"\ncat "$1" >> "${told}.new"\nmv "${told}.new" "${told}"\n`,
      { mode: 0o755 },
    );
    const env = {
      ...process.env,
      XDG_STATE_HOME: folder.path,
      PATH: `${folder.path}:${process.env['PATH'] ?? ''}`,
    };
    const child = spawn(launcher, ['run', '--ui', '--open', '--', 'cat'], {
      env,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
    const closed = once(child, 'close');
    await waitForFile(told);
    const [file = '', mode, ...page] = (await readFile(told, 'utf8')).split('\n');
    child.stdin.end();
    assert.deepEqual(await closed, [0, null], stderr);
    assert.match(file, /\/runs\/[^/]+\/console\.html$/);
    assert.equal(mode, '600');
    const [link = 'none'] = linkPattern.exec(stderr) ?? [];
    assert.ok(page.join('\n').includes(`content="0;url=${link}"`), page.join('\n'));
    await assert.rejects(stat(file), { code: 'ENOENT' });
  },
);

test('the options of the console need a gateway of its own and the jail', async () => {
  for (const [options, why] of [
    [['--open'], /--open and --ui-by-address are for --ui/],
    [['--ui', '--isolate=off'], /--ui needs the jail/],
    [
      ['--ui', '--gateway', 'https://gateway.example.com', '--token-file', 'x'],
      /--ui is for a gateway of its own/,
    ],
  ] as const) {
    const { code, stderr } = await runCommand(launcher, ['run', ...options, '--', 'true']);
    assert.equal(code, 64, stderr);
    assert.match(stderr, why);
  }
});

test('the link works once: a second use ends the log-in with an alarm, and the command hears nothing of it', async () => {
  await using folder = await temporaryDirectory();
  const env = { ...process.env, XDG_STATE_HOME: folder.path };
  const child = spawn(launcher, ['run', '--ui', '--ui-by-address', '--', 'cat'], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  const named = Promise.withResolvers<void>();
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece;
    if (linkPattern.test(stderr)) named.resolve();
  });
  const closed = once(child, 'close');
  await Promise.race([named.promise, closed]);
  const [, host = '', port = '', secret = ''] = linkPattern.exec(stderr) ?? [];
  assert.equal(host, '127.0.0.1', stderr);
  const ask = async (
    path: string,
    token?: string,
  ): Promise<{ status: number; json: Record<string, unknown> }> => {
    const body = token === undefined ? JSON.stringify({ secret }) : undefined;
    const asked = request({
      port,
      path,
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      headers: {
        host: `${host}:${port}`,
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    asked.end(body);
    const [response] = await once(asked, 'response');
    let text = '';
    for await (const piece of response) text += piece;
    return { status: response.statusCode, json: JSON.parse(text) };
  };
  const first = await ask('/v1/log-in');
  assert.equal(first.status, 200);
  const token = String(first.json['token']);
  assert.equal((await ask('/v1/who', token)).json['by'], 'link');
  assert.equal((await ask('/v1/log-in')).status, 401);
  assert.equal((await ask('/v1/who', token)).status, 401);
  child.stdin.end('still here');
  let stdout = '';
  for await (const piece of child.stdout.setEncoding('utf8')) stdout += String(piece);
  assert.deepEqual(await closed, [0, null], stderr);
  assert.equal(stdout, 'still here');
  const [run = ''] = await readdir(join(folder.path, 'upstreamproxy', 'runs'));
  const audit = await readFile(join(folder.path, 'upstreamproxy', 'runs', run, 'audit.jsonl'), 'utf8');
  const events = audit
    .trim()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line));
  assert.deepEqual(
    events
      .filter(({ action }) => String(action).startsWith('operator_'))
      .map(({ kind, action }) => [kind, action]),
    [
      ['session', 'operator_logged_in'],
      ['alarm', 'operator_link_reused'],
    ],
  );
  assert.ok(!audit.includes(secret) && !audit.includes(token));
});
