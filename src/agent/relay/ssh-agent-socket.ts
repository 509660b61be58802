// The socket to which `SSH_AUTH_SOCK` leads: an agent of SSH without a key, for this user alone.

import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Logger } from '../../system/logger.ts';
import { removeTree } from '../../system/remove-tree.ts';
import { askSshAgent } from './ask-ssh-agent.ts';
import type { RelayTunnel } from './relay-connection.ts';
import { listenPrivateSocket } from './relay-socket.ts';
import { serveSshAgent } from './ssh-agent-connection.ts';

/** Its folder in that of the session. */
const sshAgentFolder = 'ssh-agent';

export interface SshAgentSocket extends AsyncDisposable {
  readonly path: string;
}

/** Text: why it cannot be made, such as a path that is too long for a socket. */
export async function openSshAgentSocket({
  directory,
  tunnel,
  limits,
  logger,
}: {
  /** Of the session. */
  readonly directory: string;
  readonly tunnel: RelayTunnel;
  readonly limits: Limits;
  readonly logger: Logger;
}): Promise<SshAgentSocket | string> {
  const folder = join(directory, sshAgentFolder);
  const path = join(folder, 'socket');
  const sockets = new Set<Socket>();
  const ask = (octets: Uint8Array): Promise<Uint8Array> => askSshAgent(tunnel, octets, limits);
  const listening = listenPrivateSocket({
    path,
    name: 'the socket of the agent of SSH',
    connectionsMax: defaultLimits.sshAgentConnectionsMax,
    accept: (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      void serveSshAgent(socket, { ask, limits, logger });
    },
    onRefused: (reason) => logger.warn(`a connection to the agent of SSH was refused: ${reason}`),
  });
  let server: Server;
  try {
    server = await listening;
  } catch (error) {
    return asProxyError(error).message;
  }
  server.on('error', (error) => logger.warn(`the agent of SSH: ${error.message}`));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => void server.once('close', () => resolve()));
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await removeTree(folder);
    },
  };
}
