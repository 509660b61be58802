// The gateway's name by the name servers from before the session: capture on loopback leads those of the system to the agent.

import { readFileSync } from 'node:fs';
import { isIPv6, type LookupFunction } from 'node:net';
import { HostsFile } from '../../net/hosts-file.ts';
import { createResolver } from '../../net/resolver.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import {
  type NameServers,
  originalResolvConf,
  parseResolvConf,
  resolvConfPath,
  searchedNames,
} from '../placements/resolv-conf.ts';

const loopback = ['127.0.0.1', '::1'];

export interface GatewayNames extends Disposable {
  /** For connections of node:net and node:tls. */
  readonly lookup: LookupFunction;
}

export interface GatewayNamesOptions {
  readonly limits: Limits;
  readonly nameServers?: NameServers;
  /** For tests: another file than /etc/hosts, and a port of the name servers. */
  readonly hostsFile?: string;
  readonly port?: number;
}

/** What the system's file says, or said before a session that has changed it. */
export function readNameServers(path = resolvConfPath): NameServers {
  return parseResolvConf(originalResolvConf(readOrEmpty(path)));
}

/** The file is read once, now: it is kept for each connection to come. Names of /etc/hosts come first. */
export function openGatewayNames(options: GatewayNamesOptions): GatewayNames {
  const { limits, nameServers = readNameServers(), hostsFile = '/etc/hosts', port } = options;
  const servers = nameServers.servers.map((server) => {
    if (port === undefined) return server;
    return isIPv6(server) ? `[${server}]:${port}` : `${server}:${port}`;
  });
  const resolver = createResolver({
    limits,
    servers,
    hostsFile: false,
  });
  const hosts = new HostsFile(hostsFile, () => performance.now());
  const resolve = async (host: string): Promise<readonly string[]> => {
    // RFC 6761 §6.3: nobody is asked.
    const known = host === 'localhost' ? loopback : await hosts.lookup(host);
    if (known !== undefined) return known;
    let fault = new ProxyError('name_not_found', `The name ${host} does not resolve to an address.`);
    for (const name of searchedNames(host, nameServers)) {
      try {
        return await resolver.resolve(name, { principalId: '' });
      } catch (error) {
        fault = asProxyError(error);
        if (fault.code !== 'name_not_found') throw fault;
      }
    }
    throw fault;
  };
  return {
    lookup: (host, { all, family }, callback) => {
      resolve(host.toLowerCase())
        .then((addresses) => {
          const found = addresses
            .map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
            .filter((one) => (family !== 4 && family !== 6) || one.family === family);
          const [first] = found;
          if (first === undefined)
            throw new ProxyError('name_not_found', `${host} has no address of the family.`);
          return { found, first };
        })
        .then(
          ({ found, first }) =>
            all === true ? callback(null, found) : callback(null, first.address, first.family),
          (error: unknown) => callback(systemError(asProxyError(error)), ''),
        );
    },
    [Symbol.dispose]: () => resolver[Symbol.dispose](),
  };
}

/** As getaddrinfo(3) has it, which is what the dialler tells. */
function systemError(error: ProxyError): NodeJS.ErrnoException {
  const code = error.code === 'name_not_found' ? 'ENOTFOUND' : 'EAI_AGAIN';
  return Object.assign(new Error(error.message, { cause: error }), { code });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Without the file libc asks 127.0.0.1 (resolv.conf(5)).
    return '';
  }
}
