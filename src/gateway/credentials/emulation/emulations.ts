// Services inside a machine of a cloud, from which its libraries have credentials: the gateway responds in their place, with placeholders. No
// secret is in any response, and the real service is never dialled.

/** A request to such a service. It came in plain HTTP to one of `hosts`, or to the gateway's own name. */
export interface EmulatedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  /** The one value of the field, in any letter case; undefined if it is absent or stands more than once. */
  readonly field: (name: string) => string | undefined;
  readonly body: string;
  readonly nowMs: number;
}

export interface EmulatedResponse {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What one credential has of that. */
export interface Emulation {
  /** Names and addresses of the service, on port 80; empty for one that is at the gateway's own name alone. */
  readonly hosts: readonly string[];
  /** By which libraries find it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Undefined: the path is not of this one. */
  respond(request: EmulatedRequest): EmulatedResponse | undefined;
}

export class Emulations {
  readonly #all: readonly Emulation[];
  /** Whose requests never leave the gateway. */
  readonly hosts: ReadonlySet<string>;
  readonly variables: Readonly<Record<string, string>>;

  constructor(all: readonly Emulation[]) {
    this.#all = all;
    this.hosts = new Set(all.flatMap(({ hosts }) => hosts));
    this.variables = Object.assign({}, ...all.map(({ variables }) => variables)) as Record<string, string>;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** The first that has the path; undefined: none has. */
  respond(request: EmulatedRequest): EmulatedResponse | undefined {
    for (const one of this.#all) {
      const response = one.respond(request);
      if (response !== undefined) return response;
    }
    return undefined;
  }
}
