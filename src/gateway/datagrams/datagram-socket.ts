// A socket for the datagrams of one flow: connected, so that the kernel drops what comes from anywhere else.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isAddressLiteral } from '../../http/authority.ts';
import { deniedAddress } from '../../net/denied-address.ts';
import type { ChosenAddress, DialRequest } from '../../net/dialer.ts';
import { checkConnected } from '../../net/own-addresses.ts';
import { ProxyError } from '../../protocol/error.ts';

/** @throws ProxyError origin_unreachable, address_denied */
export async function openDatagramSocket(
  { address, from }: ChosenAddress,
  { destination: { host, port }, addresses }: Pick<DialRequest, 'destination' | 'addresses'>,
): Promise<Socket> {
  const socket = createSocket(isAddressLiteral(address) === 6 ? 'udp6' : 'udp4');
  try {
    if (from !== undefined) {
      const listening = once(socket, 'listening');
      socket.bind({ address: from, exclusive: true });
      await listening;
    }
    const connected = once(socket, 'connect');
    socket.connect(port, address);
    await connected;
  } catch (cause) {
    socket.close();
    throw new ProxyError('origin_unreachable', `No datagrams can be sent to ${host}.`, { cause });
  }
  const verdict = checkConnected({ localAddress: socket.address().address }, address, addresses);
  if (verdict.allowed) return socket;
  socket.close();
  throw deniedAddress(host, address, verdict);
}
