// A person with the role approver, who looks at the admin socket of a gateway for what there is to decide.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { OutputOf } from '../../src/api/admin/routes.ts';
import { mustRunShared } from './command-process.ts';
import { waitUntil } from './program.ts';

export type Access = OutputOf<'accessRequest'>;

export interface ApproverPlace {
  readonly configFile: string;
  /** Of the gateway at which they are: its `stateDirectory`. */
  readonly stateDirectory: string;
  readonly name?: string;
}

export class Approver {
  readonly #socketPath: string;
  /** The field that says who they are. */
  readonly authorization: string;

  private constructor(stateDirectory: string, token: string) {
    this.#socketPath = join(stateDirectory, 'admin', 'admin.sock');
    this.authorization = `Bearer ${token}`;
  }

  /** With a token of their own. Nobody is there to be asked before they look. */
  static async of({ configFile, stateDirectory, name = 'ada' }: ApproverPlace): Promise<Approver> {
    const made = ['operator', 'token', '--name', name, '--role', 'approver', '--for', '1h'];
    return new Approver(stateDirectory, (await mustRunShared([...made, '--config', configFile])).trim());
  }

  async call<T>(method: string, path: string, body?: object): Promise<{ status: number; value: T }> {
    const headers = { authorization: this.authorization, 'content-type': 'application/json' };
    const asked = request({ socketPath: this.#socketPath, method, path, agent: false, headers });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    // As the schema of the operation says, which other tests hold.
    return { status: response.statusCode ?? 0, value: (await json(response)) as T };
  }

  /** Who looks is there to be asked. */
  async look(): Promise<readonly Access[]> {
    const { value } = await this.call<OutputOf<'accessRequests'>>('GET', '/v1/access?state=pending');
    return value.items;
  }

  /** The one question that is open. */
  async open(): Promise<Access> {
    let items: readonly Access[] = [];
    await waitUntil('a question', async () => (items = await this.look()).length > 0);
    assert.equal(items.length, 1);
    const [one] = items;
    assert.ok(one !== undefined);
    return one;
  }

  decide(id: string, decision: string, note?: string): Promise<{ status: number; value: Access }> {
    const said = note === undefined ? { decision } : { decision, note };
    return this.call('POST', `/v1/access/${id}/decide`, said);
  }
}
