// What both sides of MySQL agree on before a session. What goes on untouched has to mean the same on both, so the client is offered what
// the server has. What would hide packets, or be a way to files of the client, is offered to nobody.

/** Bits of the protocol; those that are not here are left out. */
export const capability = {
  /** MariaDB lacks it in what it offers, and has bits of its own instead. */
  mysql: 2 ** 0,
  foundRows: 2 ** 1,
  longFlag: 2 ** 2,
  withDatabase: 2 ** 3,
  noSchema: 2 ** 4,
  odbc: 2 ** 6,
  ignoreSpace: 2 ** 8,
  protocol41: 2 ** 9,
  interactive: 2 ** 10,
  tls: 2 ** 11,
  ignoreSigpipe: 2 ** 12,
  transactions: 2 ** 13,
  secureConnection: 2 ** 15,
  multiStatements: 2 ** 16,
  multiResults: 2 ** 17,
  preparedMultiResults: 2 ** 18,
  pluginAuth: 2 ** 19,
  pluginAuthCounted: 2 ** 21,
  sessionTrack: 2 ** 23,
  deprecateEof: 2 ** 24,
  optionalMetadata: 2 ** 25,
} as const;

/** Of MariaDB alone: bulk execution, types that are told in full, metadata that is kept, one result for each row of a bulk. */
const mariadbPassed = 2 ** 2 + 2 ** 3 + 2 ** 4 + 2 ** 5;

/** They say how the session speaks, or what it does, and are the server's and the client's own. */
const passed = union([
  capability.foundRows,
  capability.longFlag,
  capability.noSchema,
  capability.odbc,
  capability.ignoreSpace,
  capability.interactive,
  capability.ignoreSigpipe,
  capability.transactions,
  capability.multiStatements,
  capability.multiResults,
  capability.preparedMultiResults,
  capability.sessionTrack,
  capability.deprecateEof,
  capability.optionalMetadata,
]);

/** Each side has them by itself; TLS and a database only where they are. */
const ofLogin = union([capability.protocol41, capability.secureConnection, capability.pluginAuth]);

function union(bits: readonly number[]): number {
  return bits.reduce((all, bit) => (all | bit) >>> 0, 0);
}

/** 32 bits, and as many that MariaDB added. */
export interface Capabilities {
  readonly basic: number;
  readonly mariadb: number;
}

export function hasAll(bits: number, wanted: number): boolean {
  return (bits & wanted) >>> 0 === wanted;
}

/** What a server needs for the gateway to log in. */
export function canBeSpoken({ basic }: Capabilities): boolean {
  return hasAll(basic, ofLogin);
}

/** Whether a server, or a client, has the bits of MariaDB. */
export function isMariadb({ basic }: Capabilities): boolean {
  return !hasAll(basic, capability.mysql);
}

/** Of the gateway to a client of that server. */
export function offered(server: Capabilities): Capabilities {
  const own = union([ofLogin, capability.tls, capability.pluginAuthCounted, capability.withDatabase]);
  return {
    basic: (((server.basic & (passed | capability.mysql)) >>> 0) | own) >>> 0,
    mariadb: isMariadb(server) ? (server.mariadb & mariadbPassed) >>> 0 : 0,
  };
}

/** Of what a client asks for, what goes to the server. */
export function agreed(client: Capabilities, server: Capabilities): Capabilities {
  const from = offered(server);
  return {
    // The first bit is of the client: it says which bits follow.
    basic: (client.basic & ((from.basic & passed) | capability.mysql)) >>> 0,
    mariadb: isMariadb(client) ? (client.mariadb & from.mariadb) >>> 0 : 0,
  };
}

/** Whether a server has what was agreed on when another connection to it was known. */
export function isThere({ basic, mariadb }: Capabilities, server: Capabilities): boolean {
  return hasAll(server.basic, (basic & passed) >>> 0) && hasAll(server.mariadb, mariadb);
}

/** Of the gateway to the server. */
export function askedFor(
  both: Capabilities,
  { isEncrypted, hasDatabase }: { readonly isEncrypted: boolean; readonly hasDatabase: boolean },
): Capabilities {
  const basic = union([
    both.basic,
    ofLogin,
    isEncrypted ? capability.tls : 0,
    hasDatabase ? capability.withDatabase : 0,
  ]);
  return { basic, mariadb: both.mariadb };
}
