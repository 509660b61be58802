// A manifest can be written by a command that was given its folder; what it can do by that is nothing.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { agentResolvConf } from '../../../src/agent/placements/resolv-conf.ts';
import { placeHomeFiles } from '../../../src/agent/home-files/home-files.ts';
import { knownPlacements } from '../../../src/agent/home-files/known-places.ts';
import { type Leftovers, removeLeftovers } from '../../../src/agent/placements/leftovers.ts';
import { ownOwner } from '../../../src/agent/placements/owner.ts';
import { type Placement, sha256 } from '../../../src/agent/placements/placement.ts';
import { Placements } from '../../../src/agent/placements/placements.ts';
import { certificatesIn } from '../../../src/agent/trust/certificate-list.ts';
import { placeSystemTrust } from '../../../src/agent/trust/system-store.ts';
import { javaKeyStore, javaTrustEntry } from '../../../src/pki/java-key-store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { MemoryLogger } from '../support/enrolled.ts';

const roots = createTestAuthority().caPem;
const own = createTestAuthority().caPem;
const note = 'Written by upstreamproxy for one session; removed when it ends.';

interface Machine {
  readonly home: string;
  readonly root: string;
  readonly state: string;
  readonly ownCa: string;
}

async function withMachine(use: (machine: Machine) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const [home, root, ownCa] = [join(folder, 'home'), join(folder, 'root'), join(folder, 'ca.pem')];
    const files: Record<string, string | Uint8Array> = {
      [join(root, 'etc/ssl/certs/ca-certificates.crt')]: roots,
      [join(root, 'etc/ssl/certs/java/cacerts')]: javaKeyStore(certificatesIn(roots), 'changeit', 1),
      [join(root, 'etc/ssl/certs/0a0b0c0d.0')]: 'of the system',
      [join(root, 'etc/hosts')]: 'of the system\n',
      [join(root, 'etc/resolv.conf')]: 'of the container\n',
      [join(root, 'usr/lib/firefox/firefox')]: '',
      [join(home, 'dotfiles/lftprc')]: 'of the user',
      [ownCa]: own,
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    // As users do who keep their settings elsewhere.
    mkdirSync(join(home, 'dotfiles/config'));
    symlinkSync('dotfiles/config', join(home, '.config'));
    await use({ home, root, state: join(folder, 'state', 'placed'), ownCa });
  });
}

function snapshot(...folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path}=${entry.isFile() ? readFileSync(path, 'base64') : ''}`;
    })
    .sort();
}

const cleanUp = ({ state, home, root }: Machine): Promise<Leftovers> =>
  removeLeftovers(state, knownPlacements({ home, root }));

/** A manifest as a session leaves it that was killed. */
function writeManifest({ state }: Machine, ...placements: readonly Placement[]): void {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const owner = { ...ownOwner(), started: '1', locks: true };
  const text = JSON.stringify({ version: 1, owner, placements });
  writeFileSync(join(state, 'placed-0123456789abcdef.json'), text, { mode: 0o600 });
}

test('all that a session places is known, and goes when another process follows its manifest', async () => {
  await withMachine(async (machine) => {
    const { home, root, state, ownCa } = machine;
    const before = snapshot(home, root);
    await using placements = await Placements.open(state);
    const logger = new MemoryLogger();
    const facts = { port: 4321, bundle: ownCa, ownCa, connectCommand: ['upstreamproxy'] };
    await placeHomeFiles({ ...facts, home, logger }, placements);
    await placeSystemTrust({ root, ownCa, logger }, placements);
    await placements.changeResolvConf(join(root, 'etc/resolv.conf'), (text) =>
      agentResolvConf(text, '127.64.0.1', 'a'),
    );
    assert.deepEqual(logger.lines, []);
    assert.ok(snapshot(home, root).length > before.length + 10);
    const [name = ''] = readdirSync(state);
    // As the kernel does when the session is killed: nobody has the lock of this one.
    const manifest = readFileSync(join(state, name), 'utf8');
    writeFileSync(join(state, 'placed-0123456789abcdef.json'), manifest, { mode: 0o600 });
    assert.deepEqual(await cleanUp(machine), { sessions: 1, kept: [] });
    assert.deepEqual(snapshot(home, root), before);
  });
});

const attacks: readonly {
  readonly name: string;
  readonly prepare?: (machine: Machine) => void;
  readonly placements: (machine: Machine) => readonly Placement[];
}[] = [
  {
    name: 'another file of the user',
    placements: ({ home }) => [
      { kind: 'file', path: join(home, 'dotfiles/lftprc'), sha256: sha256('of the user') },
    ],
  },
  {
    name: "the user's own file in a known place",
    prepare: ({ home }) => writeFileSync(join(home, '.lftprc'), 'of the user'),
    placements: ({ home }) => [{ kind: 'file', path: join(home, '.lftprc'), sha256: sha256('of the user') }],
  },
  {
    name: "the user's own database of certificates",
    prepare: ({ home }) => {
      mkdirSync(join(home, '.pki/nssdb'), { recursive: true });
      writeFileSync(join(home, '.pki/nssdb/key4.db'), 'keys');
    },
    placements: ({ home }) => [
      { kind: 'file', path: join(home, '.pki/nssdb/key4.db'), sha256: sha256('keys') },
    ],
  },
  {
    name: 'a link that leads elsewhere, above and below',
    prepare: ({ home, root }) => {
      symlinkSync(join(root, 'etc/ssl/certs'), join(home, '.aria2'));
      writeFileSync(join(root, 'etc/ssl/certs/aria2.conf'), 'of the system');
      symlinkSync(join(home, 'dotfiles/lftprc'), join(home, '.lftprc'));
    },
    placements: ({ home, root }) => [
      { kind: 'file', path: join(home, '.aria2/aria2.conf'), sha256: sha256('of the system') },
      { kind: 'file', path: join(root, 'etc/ssl/certs/aria2.conf'), sha256: sha256('of the system') },
      { kind: 'file', path: join(home, '.lftprc'), sha256: sha256('of the user') },
    ],
  },
  {
    name: 'a root certificate of the system',
    placements: ({ root }) => {
      const path = join(root, 'etc/ssl/certs/ca-certificates.crt');
      return [
        { kind: 'append', path, text: roots },
        { kind: 'append', path, text: `\n# ${note}\n${roots}` },
        { kind: 'append', path: join(root, 'etc/passwd'), text: `\n# ${note}\n${own}` },
      ];
    },
  },
  {
    name: 'a root certificate of Java',
    placements: ({ root }) => {
      const [certificate = Buffer.alloc(0)] = certificatesIn(roots);
      const entry = Buffer.from(javaTrustEntry(certificate, 'certificate-1', 1)).toString('base64');
      return [{ kind: 'java-entry', path: join(root, 'etc/ssl/certs/java/cacerts'), entry }];
    },
  },
  {
    name: 'another file as resolv.conf, and a text for it that no session writes',
    placements: ({ root }) => [
      {
        kind: 'resolv-conf',
        path: join(root, 'etc/hosts'),
        text: agentResolvConf('of the system', '127.64.0.1', 'a'),
      },
      { kind: 'resolv-conf', path: join(root, 'etc/resolv.conf'), text: 'of the container' },
    ],
  },
  {
    name: 'a hashed certificate of the system',
    placements: ({ root }) => [
      { kind: 'hashed', path: join(root, 'etc/ssl/certs/0a0b0c0d'), sha256: sha256('of the system') },
    ],
  },
  {
    name: 'files and folders that are named as temporary',
    prepare: ({ home }) => mkdirSync(join(home, 'empty')),
    placements: ({ home }) => [
      { kind: 'temporary', path: join(home, 'dotfiles/lftprc') },
      { kind: 'temporary', path: join(home, 'dotfiles/.lftprc.upstreamproxy-0123456789abcdef') },
      { kind: 'folder', path: join(home, 'empty') },
    ],
  },
  {
    name: 'policies of Firefox that are not ours',
    prepare: ({ root }) => {
      mkdirSync(join(root, 'etc/firefox/policies'), { recursive: true });
      writeFileSync(join(root, 'etc/firefox/policies/policies.json'), '{"policies":{}}');
    },
    placements: ({ root }) => [
      {
        kind: 'file',
        path: join(root, 'etc/firefox/policies/policies.json'),
        sha256: sha256('{"policies":{}}'),
      },
    ],
  },
];

for (const { name, prepare, placements } of attacks) {
  test(`a forged manifest takes away nothing: ${name}`, async () => {
    await withMachine(async (machine) => {
      prepare?.(machine);
      const before = snapshot(machine.home, machine.root);
      writeManifest(machine, ...placements(machine));
      const { sessions } = await cleanUp(machine);
      assert.equal(sessions, 1);
      assert.deepEqual(snapshot(machine.home, machine.root), before);
      // Without the check it would: the manifest is believed otherwise.
      const everything = { isKnown: async () => true, bearsOurMark: async () => true };
      writeManifest(machine, ...placements(machine));
      await removeLeftovers(machine.state, everything);
      assert.notDeepEqual(snapshot(machine.home, machine.root), before);
    });
  });
}

test('manifests are not followed, nor written, where others can put them', async () => {
  await withMachine(async (machine) => {
    const path = join(machine.home, '.lftprc');
    const text = `# ${note}\n`;
    writeFileSync(path, text);
    const manifest: Placement = { kind: 'file', path, sha256: sha256(text) };
    writeManifest(machine, manifest);
    for (const folder of [machine.state, dirname(machine.state)]) {
      chmodSync(folder, 0o777);
      const { sessions, kept } = await cleanUp(machine);
      assert.equal(sessions, 0);
      assert.match(kept.join(), /can be written by others/);
      await assert.rejects(Placements.open(machine.state), { code: 'trust_unwritable' });
      chmodSync(folder, 0o700);
    }
    const file = join(machine.state, 'placed-0123456789abcdef.json');
    chmodSync(file, 0o644);
    assert.deepEqual(await cleanUp(machine), { sessions: 0, kept: [] });
    chmodSync(file, 0o600);
    assert.deepEqual(await cleanUp(machine), { sessions: 1, kept: [] });
    assert.ok(!readdirSync(machine.home).includes('.lftprc'));
  });
});
