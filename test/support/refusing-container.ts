// A container as Docker makes it by default: root without CAP_SYS_ADMIN, no further namespace, a resolv.conf that is mounted
// by itself, and ports that need no privilege. Its name server is outside, at the far end of its one link.

import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { dnsCode, dnsType, readDnsRequest, writeDnsReply } from '../../src/agent/capture/dns-message.ts';
import { mustRun } from './command.ts';
import { namespaceObstacle, networkNamespace, type NetworkNamespace } from './network-namespace.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface RefusingContainer extends AsyncDisposable {
  readonly network: NetworkNamespace;
  /** Its /etc/resolv.conf, as the host sees it, and what stands in it at first. */
  readonly resolvConf: string;
  readonly resolvConfText: string;
  readonly home: string;
  /** Questions that its name server has had, for the gateway's name. */
  readonly gatewayQuestions: () => number;
  /** Puts a command line into it. */
  enter(command: readonly string[]): readonly [string, ...string[]];
  /** From now on ports below this one need a privilege that it has not. */
  requirePrivilegeBelow(port: number): Promise<void>;
}

/** As the container is told; its search list makes `gatewayName` of it. */
export const gatewayShortName = 'gateway';
const gatewayName = 'gateway.internal.test';
/** The domain of names that all lead outside. */
const domain = '.internal.test';

const script = `mount --bind "$0" /etc/resolv.conf &&
echo 0 > /proc/sys/user/max_user_namespaces && echo 0 > /proc/sys/user/max_net_namespaces &&
exec setpriv --bounding-set=-sys_admin,-net_admin,-sys_ptrace "$@"`;

/** Why there can be none here, or false. */
export function containerObstacle(): string | false {
  const obstacle = namespaceObstacle();
  if (obstacle !== undefined) return obstacle;
  const { status, stderr, error } = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'setpriv', '--bounding-set=-sys_admin', 'true'],
    { encoding: 'utf8' },
  );
  return status === 0 ? false : `no user namespace here: ${stderr?.trim() ?? error?.message}`;
}

export async function refusingContainer(): Promise<RefusingContainer> {
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await networkNamespace());
  const { path: home } = stack.use(await temporaryDirectory());
  const { outsideAddress } = network;
  const names = stack.use(await nameServer(outsideAddress));
  // No line end, a comment, a character that is no UTF-8: to be the same again byte for byte.
  const resolvConfText = `# of the container \xe9\nsearch internal.test\nnameserver ${outsideAddress}\noptions ndots:2`;
  const resolvConf = join(home, 'resolv.conf');
  await writeFile(resolvConf, resolvConfText, 'latin1');
  const requirePrivilegeBelow = async (port: number): Promise<void> => {
    const write = `echo ${port} > /proc/sys/net/ipv4/ip_unprivileged_port_start`;
    const [file, ...args] = network.enter(['sh', '-c', write]);
    await mustRun(file, args);
  };
  await requirePrivilegeBelow(0);
  const owned = stack.move();
  return {
    network,
    resolvConf,
    resolvConfText,
    home,
    gatewayQuestions: names.questions,
    enter: (command) =>
      network.enter([
        'unshare',
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-c',
        script,
        resolvConf,
        ...command,
      ]),
    requirePrivilegeBelow,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function nameServer(address: string): Promise<AsyncDisposable & { readonly questions: () => number }> {
  let questions = 0;
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    const request = readDnsRequest(message);
    if (request.kind !== 'query') return;
    const { query } = request;
    if (query.name === gatewayName) questions += 1;
    const isKnown = query.name.endsWith(domain);
    const record = { type: dnsType.a, ttlSeconds: 0, data: Uint8Array.from(address.split('.').map(Number)) };
    const reply = writeDnsReply(
      query,
      isKnown ? dnsCode.noError : dnsCode.noSuchName,
      isKnown && query.type === dnsType.a ? [record] : [],
    );
    socket.send(reply, peer.port, peer.address);
  });
  socket.bind({ address, port: 53 });
  await once(socket, 'listening');
  return {
    questions: () => questions,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, 'close');
    },
  };
}
