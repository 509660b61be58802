// The locked-down container of the demo, and what runs in it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { networkNamespace, namespaceObstacle } from '../test/support/network-namespace.ts';
import { findTool } from '../test/support/tools.ts';

export interface Container extends AsyncDisposable {
  /** Where the gateway has to listen for the container to reach it. */
  readonly gatewayAddress: string;
  /** One sentence: what the container is here. */
  readonly description: string;
  /** Whether nothing but the gateway can be reached. */
  readonly isolated: boolean;
  enter(command: readonly string[]): readonly [string, ...string[]];
}

// What a container has by default; CAP_SYS_PTRACE is not among them.
const capabilities = ['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap']
  .concat(['net_bind_service', 'net_raw', 'sys_chroot', 'mknod', 'audit_write', 'setfcap'])
  .map((name) => `,+${name}`)
  .join('');

/** A network namespace without a route where that can be made, or else the same machine, which is said. */
export async function openContainer(): Promise<Container> {
  const obstacle = namespaceObstacle();
  if (obstacle === undefined) {
    try {
      return await isolatedContainer();
    } catch (error) {
      return openMachine(
        `no network namespace can be made here (${(error as Error).message.split('\n')[0]})`,
      );
    }
  }
  return openMachine(obstacle);
}

async function isolatedContainer(): Promise<Container> {
  const namespace = await networkNamespace();
  const setpriv = findTool('setpriv');
  const drop =
    setpriv === undefined ? [] : [setpriv, `--bounding-set=-all${capabilities}`, '--inh-caps=-all'];
  return {
    gatewayAddress: namespace.outsideAddress,
    description: `network namespace ${namespace.name}: no route, no name server, one link to the gateway`,
    isolated: true,
    enter: (command) => namespace.enter([...drop, ...command]),
    [Symbol.asyncDispose]: () => namespace[Symbol.asyncDispose](),
  };
}

function openMachine(obstacle: string): Container {
  return {
    gatewayAddress: '127.0.0.1',
    description: `no namespace: ${obstacle}. The same runs on this machine's own network`,
    isolated: false,
    enter: ([file = 'true', ...args]) => [file, ...args],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The names that the demo's own origins have behind the gateway. */
export const demoHosts = {
  git: 'git.demo.test',
  api: 'api.demo.test',
  denied: 'denied.example.com',
} as const;

/** What the workload does, as a shell script: it runs in `directory` and leaves its results there, a file a step. */
export function containerScript(urls: {
  readonly registry: string;
  /** `host:port:address` of the registry, as it resolves outside: a name alone would be captured and led to the relay. */
  readonly registryAt: string;
  readonly repository: string;
  readonly api: string;
}): string {
  const step = (name: string, command: string): string =>
    `{ ${command}; } > ${name}.out 2> ${name}.err; echo $? > ${name}.code\n`;
  return [
    '# Our parent is the agent: the demo looks at it from outside before anything else is done.\n',
    'echo $PPID > agent.pid\n',
    'tries=0; while [ ! -e go ]; do sleep 0.05; tries=$((tries + 1)); [ $tries -lt 400 ] || exit 1; done\n',
    // By the number that the agent has outside, which the demo writes there.
    step('probe', 'cat "/proc/$(cat go)/environ"'),
    step(
      'direct',
      `curl -sS --noproxy '*' --resolve "${urls.registryAt}" -o /dev/null --connect-timeout 3 "${urls.registry}"`,
    ),
    step(
      'npm',
      `npm install --no-audit --no-fund --no-update-notifier --registry "${urls.registry}" --prefix project is-number`,
    ),
    step('git', `git clone --quiet "${urls.repository}" clone`),
    step('curl', `curl -sS --fail "${urls.api}/auth"`),
    step('reflect', `curl -sS --fail -i "${urls.api}/reflect"`),
    step('denied', `curl -sS -i "https://${demoHosts.denied}/"`),
    'env > workload.env\n',
  ].join('');
}

/** Why the demo cannot run here, or undefined. */
export function missingTools(): string | undefined {
  const missing = ['npm', 'git', 'curl', 'sh'].filter((name) => findTool(name) === undefined);
  return missing.length === 0
    ? undefined
    : `the demo needs ${missing.join(', ')}, which this machine does not have`;
}

/** PATH without this checkout's own tools, so that npm runs as the user has it. */
export function userPath(root: string, path: string): string {
  const own = join(root, 'node_modules', '.bin');
  return path
    .split(':')
    .filter((folder) => folder !== own && folder !== '' && existsSync(folder))
    .join(':');
}
