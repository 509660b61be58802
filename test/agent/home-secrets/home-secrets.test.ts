// What a command gets to see of a home: never a secret, whatever form it stands in.

import assert from 'node:assert/strict';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { findHomeSecrets, type HomeSecrets } from '../../../src/agent/home-secrets/home-secrets.ts';
import { secretPlaces } from '../../../src/agent/home-secrets/secret-places.ts';
import { canary, findCanary } from '../../support/canary.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { assertDocsTable, markdownTable } from '../../protocol/docs-table.ts';

interface Finding {
  readonly found: HomeSecrets;
  /** What lies over a file; undefined if nothing does. */
  text(path: string): string | undefined;
}

async function find(
  files: Readonly<Record<string, string>>,
  options: Partial<Parameters<typeof findHomeSecrets>[0]> & {
    readonly prepare?: (home: string) => void;
  } = {},
): Promise<Finding> {
  await using folder = await temporaryDirectory();
  const home = join(folder.path, 'home');
  mkdirSync(home);
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder.path, 'home', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  }
  options.prepare?.(home);
  const all = findHomeSecrets({
    homes: [home],
    uid: process.geteuid?.() ?? 0,
    workingFolder: folder.path + '/elsewhere',
    environment: {},
    systemSsh: join(folder.path, 'none'),
    replaces: true,
    ...options,
    fsRead: (options.fsRead ?? []).map((path) => join(home, path)),
  });
  // Sockets of this machine are none of the test's.
  const ofMachine = (path: string): boolean => /^\/(?:run|var)\//.test(path);
  const found = {
    ...all,
    covers: all.covers.filter(({ path }) => !ofMachine(path)),
    hidden: all.hidden.filter((name) => !ofMachine(name)),
  };
  return {
    found,
    text: (path) => {
      const cover = found.covers.find((one) => one.path === join(home, path));
      return cover === undefined ? undefined : Buffer.from(cover.content ?? '', 'base64').toString('utf8');
    },
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const s = canary();
/** File, its text, and what stands there without secrets; those with `replaced` get placeholders. */
const forms: readonly {
  readonly path: string;
  readonly text: string;
  readonly stripped: string;
  readonly replaced: readonly string[];
}[] = [
  {
    path: '.npmrc',
    text: `# old: ${s}token\nregistry = https://r.test/\n//r.test/a/:_authToken = "${s}"\n//r.test/:_auth=${base64(`u:${s}`)}\n//r.test/p/:username=u\n//r.test/p/:_password=${base64(s)}\n_authToken=${s}\nkey="-----BEGIN ${s}"\n//r.test/v/:_authToken=\${TOKEN}\nproxy=http://u:${s}@p.test:3128/\n`,
    stripped:
      'registry = https://r.test/\n//r.test/p/:username=u\n//r.test/v/:_authToken=${TOKEN}\nproxy=http://p.test:3128/\n',
    replaced: ['https://r.test/a', 'https://r.test/', 'https://r.test/p'],
  },
  {
    path: '.config/pip/pip.conf',
    text: `[global]\n; ${s}@\nindex-url = https://u:${s}@i.test:8443/simple/\nextra-index-url =\n  https://${s}@j.test/simple\n  http://u:p@${s}@k.test/x\npassword: ${s}\n  more ${s}\ntimeout = 5\n`,
    stripped:
      '[global]\nindex-url = https://i.test:8443/simple/\nextra-index-url =\n  https://j.test/simple\n  http://k.test/x\ntimeout = 5\n',
    replaced: ['https://i.test:8443/simple', 'https://j.test/simple'],
  },
  {
    path: '.netrc',
    text: `# ${s}\nmachine M.test\n  login u\n  password "${s}"\ndefault login u password ${s}\nmacdef init\n  user ${s}\n\nmachine n.test password ${s} login v\n`,
    stripped: '',
    replaced: ['https://m.test/', 'https://n.test/'],
  },
  {
    path: '.git-credentials',
    text: `https://u:${s}@g.test/team\nhttp://u:${s}@h.test\nssh://u:${s}@h.test\n${s}\n`,
    stripped: 'https://g.test/team\n'.slice(0, 0),
    replaced: ['https://g.test/team'],
  },
  {
    path: '.gitconfig',
    text: `[user]\n\tname = n\n[http "https://g.test/"]\n\textraheader = AUTHORIZATION: basic ${base64(`u:${s}`)}\n[http]\n\textraHeader = X: ${s}\n[url "https://u:${s}@i.test/"]\n\tinsteadOf = x:\n`,
    stripped:
      '[user]\n\tname = n\n[http "https://g.test/"]\n[http]\n[url "https://i.test/"]\n\tinsteadOf = x:\n',
    replaced: ['https://g.test/', 'https://i.test/'],
  },
  {
    path: '.docker/config.json',
    text: JSON.stringify({
      auths: {
        'r.test:5000': { auth: base64(`u:${s}`) },
        'https://x.test/v1/': { username: 'u', password: s },
        'i.test': { identitytoken: s },
        'e.test': {},
      },
      HttpHeaders: { 'X-Meta': s },
      credsStore: 'desktop',
      proxies: { default: { httpsProxy: `http://u:${s}@p.test` } },
    }),
    stripped: `${JSON.stringify({ auths: { 'e.test': {} }, credsStore: 'desktop', proxies: { default: { httpsProxy: 'http://p.test' } } }, undefined, 2)}\n`,
    replaced: ['https://r.test:5000/', 'https://x.test/v1'],
  },
  {
    path: '.cargo/credentials.toml',
    text: `[registry]\ntoken = "${s}"\n[registries.mine]\nsecret-key = "${s}"\nindex = "sparse+https://c.test/"\n`,
    stripped: '[registry]\n[registries.mine]\nindex = "sparse+https://c.test/"\n',
    replaced: [],
  },
  {
    path: '.yarnrc.yml',
    text: `npmRegistries:\n  "https://y.test":\n    npmAuthToken: ${s}\n    npmAlwaysAuth: true\nnodeLinker: node-modules\nnpmAuthIdent: "u:${s}"\n`,
    stripped: 'npmRegistries:\n  "https://y.test":\n    npmAlwaysAuth: true\nnodeLinker: node-modules\n',
    replaced: [],
  },
  {
    path: '.gradle/gradle.properties',
    text: `org.gradle.jvmargs=-Xmx2g\nrepoPassword=${s}\\\n${s}\nsigning.key=${s}\n`,
    stripped: 'org.gradle.jvmargs=-Xmx2g\n',
    replaced: [],
  },
];

for (const { path, text, stripped, replaced } of forms) {
  test(`${path} is there without its secrets where nobody puts them on`, async () => {
    const finding = await find({ [path]: text }, { replaces: false });
    assert.equal(finding.text(path), stripped);
    assert.deepEqual(finding.found.credentials, []);
    assert.ok([...finding.found.copies, ...finding.found.hidden].includes(`~/${path}`));
  });

  test(`${path} has placeholders bound to where each secret stands`, async () => {
    const finding = await find({ [path]: text });
    const shown = finding.text(path) ?? '';
    assert.deepEqual(findCanary(shown, s), []);
    const { credentials } = finding.found;
    const places = credentials.map(
      ({ place: { host, port, path: below } }) => `https://${host}${port === 443 ? '' : `:${port}`}${below}`,
    );
    assert.deepEqual(places, replaced);
    for (const { secret, placeholder } of credentials) {
      assert.equal(secret, s);
      assert.ok(findCanary(shown, placeholder).length > 0, `${placeholder} in ${shown}`);
    }
    // Whoever reads it anew finds what stands there to be no less than before.
    if (replaced.length > 0) assert.ok(finding.found.replaced.includes(`~/${path}`));
  });
}

test('files without a secret stay as they are', async () => {
  const { found } = await find({
    '.npmrc': '# comment\nregistry=https://r.test/\nsave-exact=true\n',
    '.gitconfig': '[user]\n\tname = n\n',
    '.config/pip/pip.conf': '[global]\nindex-url = https://i.test/simple\n',
    '.cargo/config.toml': '[build]\nrustflags = [\n  "-C", "link-arg=x",\n]\n',
  });
  assert.deepEqual(found.covers, []);
});

test('folders of secrets are empty, and what is opened is seen', async () => {
  const { found } = await find(
    { '.ssh/id': s, '.aws/credentials': s, '.kube/config': s, '.netrc': `machine a.test password ${s}` },
    { fsRead: ['.ssh', '.kube/config'] },
  );
  const covers = found.covers.map(({ path, keeps, content }) => [
    path.replace(/.*\/home\//, ''),
    keeps,
    content,
  ]);
  assert.equal(covers.length, 3);
  assert.deepEqual(covers.slice(0, 2), [
    ['.aws', undefined, undefined],
    ['.kube', ['config'], undefined],
  ]);
  assert.deepEqual(found.hidden, ['~/.aws', '~/.kube']);
});

test('what is not understood stays out as a whole, and it is said whose it is', async () => {
  const finding = await find({
    '.docker/config.json': `{"auths": ${s}`,
    '.netrc': `machines ${s}`,
    '.gitconfig': `[http]\n\textraheader = \\\n${s}\n`,
    '.cargo/credentials.toml': `token = """\n${s}\n"""\n`,
    '.npmrc': `${'x'.repeat(300_000)}${s}`,
    '.config/pip/pip.conf': `\u0000-----BEGIN ${s}`,
  });
  assert.equal(finding.text('.docker/config.json'), '{}\n');
  for (const path of ['.netrc', '.gitconfig', '.cargo/credentials.toml', '.npmrc', '.config/pip/pip.conf'])
    assert.equal(finding.text(path), '', path);
  assert.equal(finding.found.without.length, 6);
  assert.match(
    finding.found.without.join(),
    /~\/\.cargo\/credentials\.toml \(cargo: its form is not understood\)/,
  );
  assert.deepEqual(findCanary(JSON.stringify({ ...finding.found }), s), []);
});

test('only a file of the caller in the home, outside of the working folder, becomes a credential', async () => {
  const files = {
    '.npmrc': `//r.test/:_authToken=${s}\n`,
    'project/.npmrc': `//evil.test/:_authToken=${s}\n`,
  };
  const asItIs = await find(files);
  assert.equal(asItIs.found.credentials.length, 1);
  const cases: readonly Parameters<typeof find>[1][] = [
    { uid: 4711 },
    {
      // A link of the home to what a repository brought.
      prepare: (home) => {
        mkdirSync(join(home, '../repository'));
        writeFileSync(join(home, '../repository/netrc'), `machine evil.test password ${s}`);
        symlinkSync('../repository/netrc', join(home, '.netrc'));
      },
      workingFolder: '/',
    },
    { prepare: (home) => void symlinkSync(home, `${home}-again`), workingFolder: '/' },
  ];
  for (const one of cases) {
    const { found } = await find(files, one);
    assert.deepEqual(found.credentials, []);
    assert.deepEqual(findCanary(JSON.stringify(found.covers), s), []);
    assert.ok(found.copies.includes('~/.npmrc'));
  }
});

test('one file is covered once, under whatever names', async () => {
  const { found } = await find(
    { '.netrc': `machine a.test password ${s}` },
    { prepare: (home) => linkSync(join(home, '.netrc'), join(home, '_netrc')) },
  );
  assert.equal(found.covers.length, 1);
});

test('a socket that a variable names is covered', async () => {
  const { found } = await find({}, { environment: { SSH_AUTH_SOCK: '/dev/null', DOCKER_HOST: 'tcp://x:1' } });
  assert.deepEqual(
    found.covers.filter(({ path }) => path === '/dev/null'),
    [],
  );
});

test('ssh knows its hosts by the folder of the system', async () => {
  await using system = await temporaryDirectory();
  writeFileSync(join(system.path, 'ssh_known_hosts'), 'a.test ssh-ed25519 AAAA');
  const files = { '.ssh/known_hosts': 'b.test ssh-ed25519 BBBB\n', '.ssh/id': s };
  const entriesOf = (found: HomeSecrets): readonly unknown[] | undefined =>
    found.covers.find(({ path }) => path === system.path)?.entries;
  const { found } = await find(files, { systemSsh: system.path });
  const content = base64('a.test ssh-ed25519 AAAA\nb.test ssh-ed25519 BBBB\n');
  assert.deepEqual(entriesOf(found), [{ name: 'ssh_known_hosts', content }]);
  const opened = await find(files, { systemSsh: system.path, fsRead: ['.ssh'] });
  assert.equal(entriesOf(opened.found), undefined);
});

test('the table names no place twice', () => {
  const paths = secretPlaces.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
});

test('the reference has the table', () => {
  const rows = secretPlaces.map(({ path, of, form, empty }) => {
    const seen =
      form !== undefined ? 'without its secrets' : empty === undefined ? 'empty' : `\`${empty.trim()}\``;
    return [`\`~/${path}\``, of, seen];
  });
  assertDocsTable('jail.md', 'secrets', markdownTable(['place', 'of', 'the command sees it'], rows));
});
