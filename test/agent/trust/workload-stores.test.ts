import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { mercurialPath } from '../../../src/agent/trust/hgrc.ts';
import { certificatesIn } from '../../../src/agent/trust/certificate-list.ts';
import {
  removeWorkloadStores,
  type StoreContents,
  writeWorkloadStores,
} from '../../../src/agent/trust/workload-stores.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { MemoryLogger } from '../support/enrolled.ts';

const system = createTestAuthority().caPem + createTestAuthority().caPem;
const own = createTestAuthority().caPem;

interface Written {
  readonly folder: string;
  readonly contents: StoreContents;
  readonly files: Awaited<ReturnType<typeof writeWorkloadStores>>;
  readonly logger: MemoryLogger;
}

async function withStores(
  base: (folder: string) => Record<string, string>,
  use: (written: Written) => void | Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const directory = join(folder, 'state');
    mkdirSync(directory);
    const bundlePath = join(directory, 'ca-bundle.pem');
    writeFileSync(bundlePath, system + own);
    writeFileSync(join(directory, 'ca.pem'), own);
    const contents = { directory, bundlePath, bundle: system + own, own, base: base(folder) };
    const logger = new MemoryLogger();
    const files = await writeWorkloadStores(contents, logger);
    await use({ folder, contents, files, logger });
  });
}

/** Whether the tool is there; else the test says so and is skipped. */
function has(context: TestContext, tool: string, ...version: string[]): boolean {
  if (spawnSync(tool, version).error === undefined) return true;
  context.skip(`${tool} is not installed`);
  return false;
}

describe('the stores of a session', () => {
  test('are all written, readable for everybody, and removed again with nothing else', async () => {
    await withStores(
      () => ({}),
      async ({ contents, files, logger }) => {
        assert.deepEqual(logger.lines, []);
        assert.equal(Object.keys(files).length, 8);
        for (const path of Object.values(files))
          assert.equal(statSync(path).mode & 0o777, statSync(path).isDirectory() ? 0o755 : 0o644, path);
        writeFileSync(join(contents.directory, 'php.d', 'own.ini'), '; of the user');
        await removeWorkloadStores(contents.directory);
        assert.deepEqual(readdirSync(contents.directory).sort(), ['ca-bundle.pem', 'ca.pem', 'php.d']);
        assert.deepEqual(readdirSync(join(contents.directory, 'php.d')), ['own.ini']);
      },
    );
  });

  test('one that cannot be written is told and left out, the others are there', async () => {
    await withStores(
      (folder) => {
        mkdirSync(join(folder, '.wgetrc'));
        return { HOME: folder };
      },
      ({ files, logger }) => {
        assert.equal(files.wgetrc, undefined);
        assert.equal(Object.keys(files).length, 7);
        assert.match(logger.lines.join('\n'), /wgetrc is left out: .*\.wgetrc/);
      },
    );
  });

  test('written again for other certificates, hold nothing of the earlier ones', async () => {
    await withStores(
      () => ({}),
      async ({ contents, files }) => {
        const earlier = readdirSync(files.hashedDirectory!);
        const key = readFileSync(files.javaKeyStore!);
        const rotated = createTestAuthority().caPem;
        await writeWorkloadStores(
          { ...contents, own: rotated, bundle: system + rotated },
          new MemoryLogger(),
        );
        const names = readdirSync(files.hashedDirectory!);
        assert.equal(names.length, 2);
        assert.deepEqual(
          names.filter((name) => earlier.includes(name)),
          ['ca-bundle.pem'],
        );
        assert.notDeepEqual(readFileSync(files.javaKeyStore!), key);
        const singles = (): readonly string[] =>
          readdirSync(files.ownCertificates!)
            .sort()
            .map((name) => readFileSync(join(files.ownCertificates!, name), 'utf8'));
        assert.deepEqual(singles(), [rotated]);
        const both = { ...contents, own: own + rotated, bundle: system + own + rotated };
        await writeWorkloadStores(both, new MemoryLogger());
        assert.deepEqual(singles(), [own, rotated]);
        await writeWorkloadStores(contents, new MemoryLogger());
        assert.deepEqual(singles(), [own]);
      },
    );
  });

  test('lead nowhere else, whatever waits in the place of a folder', async () => {
    await withTemporaryDirectory(async (folder) => {
      const [directory, precious] = [join(folder, 'state'), join(folder, 'precious')];
      for (const path of [directory, precious]) mkdirSync(path, { mode: 0o700 });
      const names = [
        '0123abcd.0',
        '1.pem',
        'ca-bundle.pem',
        'upstreamproxy.ini',
        '.upstreamproxy.ini.0123456789ab',
      ];
      for (const name of names) writeFileSync(join(precious, name), 'precious');
      const places = ['certificates', 'certs', 'php.d', 'wgetrc'];
      for (const place of places) symlinkSync(precious, join(directory, place));
      const bundlePath = join(directory, 'ca-bundle.pem');
      const logger = new MemoryLogger();
      const files = await writeWorkloadStores(
        { directory, bundlePath, bundle: system + own, own, base: {} },
        logger,
      );
      assert.equal(files.hashedDirectory, undefined);
      assert.equal(files.phpIniDirectory, undefined);
      assert.equal(files.ownCertificates, undefined);
      // They are made at once, so either can be said first.
      assert.match(
        logger.lines.toSorted().join('\n'),
        /certs is left out: .* link[^]*php\.d is left out: .* link/,
      );
      // While the session goes on, too.
      unlinkSync(files.wgetrc ?? assert.fail('there is no wgetrc'));
      symlinkSync(precious, join(directory, 'wgetrc'));
      await removeWorkloadStores(directory);
      assert.deepEqual(readdirSync(directory).sort(), ['certificates', 'certs', 'php.d']);
      assert.deepEqual(readdirSync(precious).sort(), names.toSorted());
      assert.equal(statSync(precious).mode & 0o777, 0o700);
      for (const name of names) assert.equal(readFileSync(join(precious, name), 'utf8'), 'precious');
    });
  });

  test('the same certificates give the same bytes', async () => {
    await withStores(
      () => ({}),
      async ({ contents, files }) => {
        const first = readFileSync(files.javaKeyStore!);
        await writeWorkloadStores(contents, new MemoryLogger());
        assert.deepEqual(readFileSync(files.javaKeyStore!), first);
      },
    );
  });
});

test('of a bundle only the certificates are taken, each once', () => {
  const noisy = `# a comment\nFriendly name\r\n${system.replaceAll('\n', '\r\n')}trailing\n${system}`;
  assert.deepEqual(certificatesIn(noisy), certificatesIn(system));
  assert.equal(certificatesIn(noisy).length, 2);
});

test('OpenSSL finds the authority in the folder by its hash', async (context) => {
  if (!has(context, 'openssl', 'version')) return;
  await withStores(
    () => ({}),
    ({ contents, files }) => {
      const hash = execFileSync('openssl', [
        'x509',
        '-hash',
        '-noout',
        '-in',
        join(contents.directory, 'ca.pem'),
      ]);
      assert.equal(readlinkSync(join(files.hashedDirectory!, `${hash.toString().trim()}.0`)), '../ca.pem');
      const verified = execFileSync(
        'openssl',
        ['verify', '-no-CAfile', '-CApath', files.hashedDirectory!, join(contents.directory, 'ca.pem')],
        { encoding: 'utf8' },
      );
      assert.match(verified, /: OK/);
    },
  );
});

test('Java reads the key store', async (context) => {
  if (!has(context, 'keytool', '-help')) return;
  await withStores(
    () => ({}),
    ({ files }) => {
      const args = ['-list', '-keystore', files.javaKeyStore!, '-storepass', 'changeit'];
      const listed = execFileSync('keytool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      assert.equal(listed.match(/trustedCertEntry/g)?.length, 3);
    },
  );
});

test('PHP takes the trust and the proxy, and still runs what the user has before each program', async (context) => {
  if (!has(context, 'php', '-v')) return;
  await withStores(
    (folder) => {
      mkdirSync(join(folder, 'own'));
      writeFileSync(join(folder, 'own', 'own.php'), '<?php const OWN = 1;');
      writeFileSync(join(folder, 'own', 'own.ini'), `auto_prepend_file=${join(folder, 'own', 'own.php')}\n`);
      return {};
    },
    ({ folder, contents, files }) => {
      const script = `echo json_encode([get_cfg_var('openssl.cafile'), get_cfg_var('curl.cainfo'), defined('OWN'),
        stream_context_get_options(stream_context_get_default()), array_keys(get_defined_vars())]);`;
      writeFileSync(join(folder, 'script.php'), `<?php ${script}`);
      const run = (environment: Record<string, string>) =>
        JSON.parse(
          execFileSync('php', [join(folder, 'script.php')], {
            encoding: 'utf8',
            env: { ...process.env, ...environment },
          }),
        ) as unknown[];
      const scan = `${join(folder, 'own')}:${files.phpIniDirectory}`;
      const [cafile, cainfo, owns, options, variables] = run({
        PHP_INI_SCAN_DIR: scan,
        http_proxy: 'http://127.0.0.1:4321',
      });
      assert.deepEqual([cafile, cainfo, owns], [contents.bundlePath, contents.bundlePath, true]);
      assert.deepEqual(options, { http: { proxy: 'tcp://127.0.0.1:4321', request_fulluri: true } });
      assert.ok(!JSON.stringify(variables).includes('upstreamproxy'));
      const without = { PHP_INI_SCAN_DIR: scan, http_proxy: '' };
      assert.deepEqual(run(without)[3], []);
      const captured = { ...without, http_proxy: 'http://127.0.0.1:4321', UPSTREAMPROXY_CAPTURE: '1' };
      assert.deepEqual(run(captured)[3], []);
    },
  );
});

test("wget reads the user's own lines too, and who may not read them may not read the copy", async () => {
  await withStores(
    (folder) => {
      writeFileSync(join(folder, '.wgetrc'), 'user_agent = mine');
      chmodSync(join(folder, '.wgetrc'), 0o600);
      return { HOME: folder };
    },
    ({ contents, files }) => {
      const text = readFileSync(files.wgetrc!, 'utf8');
      assert.match(text, /^user_agent = mine\n/);
      assert.ok(text.endsWith(`ca_certificate = ${contents.bundlePath}\n`));
      assert.equal(statSync(files.wgetrc!).mode & 0o777, 0o600);
    },
  );
});

test('Mercurial keeps the configuration of system and user beside ours', async (context) => {
  if (!has(context, 'hg', '--version')) return;
  await withStores(
    (folder) => {
      writeFileSync(join(folder, '.hgrc'), '[ui]\nusername = somebody\n[web]\ncacerts = /other\n');
      return { HOME: folder };
    },
    ({ folder, contents, files }) => {
      const env = { PATH: process.env['PATH'], HOME: folder };
      const show = (name: string, environment: Record<string, string | undefined>) =>
        spawnSync('hg', ['config', name], { encoding: 'utf8', env: environment }).stdout;
      const ours = { ...env, HGRCPATH: mercurialPath(env, files.hgrc!) };
      assert.equal(show('web.cacerts', ours).trim(), contents.bundlePath);
      assert.equal(show('ui.username', ours).trim(), 'somebody');
      assert.equal(show('merge-tools', ours), show('merge-tools', env));
    },
  );
});

test("the user's own HGRCPATH is kept in front, and an empty one stays without the usual places", () => {
  assert.equal(mercurialPath({ HGRCPATH: '/mine' }, '/ours'), '/mine:/ours');
  assert.equal(mercurialPath({ HGRCPATH: '' }, '/ours'), '/ours');
  assert.match(mercurialPath({ XDG_CONFIG_HOME: '/x' }, '/ours'), /:~\/\.hgrc:\/x\/hg\/hgrc:\/ours$/);
});

test('apt takes the trust, and the configuration that the user names', async (context) => {
  if (!has(context, 'apt-config', '--version')) return;
  await withStores(
    (folder) => {
      const mine = join(folder, 'mine.conf');
      writeFileSync(mine, 'Acquire::Retries "7";\n');
      return { APT_CONFIG: mine };
    },
    ({ contents, files }) => {
      const dump = execFileSync('apt-config', ['dump'], {
        encoding: 'utf8',
        env: { ...process.env, APT_CONFIG: files.aptConfig! },
      });
      assert.ok(dump.includes(`Acquire::https::CaInfo "${contents.bundlePath}";`));
      assert.ok(dump.includes('Acquire::Retries "7";'));
    },
  );
});
