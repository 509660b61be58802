// Ports that somebody else opened before the gateway started, as a service manager does.

/** Descriptors of sockets that listen, by what they are for; each takes the place of the port that the configuration names. */
export interface ListeningSockets {
  readonly gateway?: number;
  readonly metrics?: number;
  readonly admin?: number;
}
