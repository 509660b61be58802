// The gateway's own word about a destination, as opposed to a fault of the way to the gateway.

import { ProxyError } from '../../protocol/error.ts';

export class DestinationRefused extends ProxyError {}
