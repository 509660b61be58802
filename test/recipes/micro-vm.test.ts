// docs/guides/micro-vm.md with a stand-in for the machine: a network namespace with loopback alone, whose bridge dials the Unix socket that
// Firecracker dials for a guest.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { openGuideStage } from '../support/guide-stage.ts';
import { skipWithout } from '../support/tools.ts';

const obstacle =
  process.getuid?.() === 0
    ? skipWithout('socat', 'unshare', 'ip', 'mount', 'git', 'curl', 'bash', 'python3')
    : 'the namespace of the stand-in needs root';

test(
  'the guide to micro-VMs does what it shows, before a stand-in for the machine',
  { skip: obstacle },
  async () => {
    await using stage = await openGuideStage();
    const { directory } = stage;
    await mkdir(directory, { recursive: true });
    // The machine has files of its own.
    const hosts = join(directory, 'hosts');
    await writeFile(hosts, await readFile('/etc/hosts', 'utf8'));
    const machine = `unshare -n -m --propagation private sh -c 'mount --bind ${hosts} /etc/hosts && exec "$@"' sh`;
    const bridge = `env BRIDGE=UNIX-CONNECT:${join(directory, 'vm.vsock_8443')}`;
    await stage.run('docs/guides/micro-vm.md', ({ steps, ...guide }) => ({
      ...guide,
      steps: steps.map((step) =>
        step.kind === 'command' && step.command.startsWith('./guest.sh ')
          ? { ...step, command: `${machine} ${bridge} ${step.command}` }
          : step,
      ),
    }));
  },
);
