// The package brings no types of its own; this is what the tests use of it.

declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  export interface StoredToken {
    readonly clientId: string;
    readonly isValid: boolean;
    readonly scope?: string;
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    proxy: boolean;
    callback(): RequestListener;
    /** Ends a step that is asked of a person, and sends the browser on. */
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>;
    readonly Client: { find(id: string): Promise<object | undefined> };
    readonly ClientCredentials: { find(token: string): Promise<StoredToken | undefined> };
    readonly AccessToken: { find(token: string): Promise<StoredToken | undefined> };
    readonly Grant: new (properties: object) => {
      addOIDCScope(scope: string): void;
      save(): Promise<string>;
    };
    readonly RefreshToken: new (properties: object) => { save(): Promise<string> };
  }
}
