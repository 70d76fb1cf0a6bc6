// One page is one agent: it registers over a WebSocket, places and answers
// calls with a microphone, and tells what its media does. Only what any
// WebRTC client does is here; the SIP is JsSIP's.
'use strict';

const agent = (() => {
	let ua;
	let session; // the call, ringing or up
	let ended = ''; // why the last call ended
	let sockets = 0; // WebSockets opened since the page was loaded

	// Candidates come from the machine itself, without a STUN or TURN server.
	const media = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };

	// The SIP answer, where there is one, tells more than JsSIP's cause.
	const reason = ({ cause, message, response }) => {
		const answer = response || message;
		return answer && answer.status_code ? `${answer.status_code} ${answer.reason_phrase}` : cause;
	};

	// Registers with what the SIP Secret or the desk's profile holds.
	function register({ url, server, extension, username, password, realm }) {
		ua = new JsSIP.UA({
			sockets: [new JsSIP.WebSocketInterface(url)],
			uri: `sip:${extension}@${server}`,
			authorization_user: username,
			password,
			realm,
			session_timers: false,
		});
		ua.on('newRTCSession', ({ session: s, request }) => adopt(s, request));
		ua.on('connected', () => { sockets++; });
		return new Promise((resolve, reject) => {
			ua.on('registered', resolve);
			ua.on('registrationFailed', (e) => reject(new Error(reason(e))));
			ua.on('disconnected', (e) => { if (e.error) reject(new Error(`the WebSocket is closed: ${e.code} ${e.reason}`)); });
			ua.start();
		}).then(() => undefined);
	}

	function adopt(s, request) {
		if (session) {
			s.terminate({ status_code: 486 });
			return;
		}
		session = s;
		ended = '';
		const over = (e) => { session = undefined; ended = reason(e); };
		s.on('ended', over);
		s.on('failed', over);
		if (s.connection) listen(s.connection);
		else s.on('peerconnection', ({ peerconnection }) => listen(peerconnection));
		if (s.direction === 'incoming') answerAfter(s, request.getHeader('Call-Info'));
	}

	// The PBX asks for it where the agent's autoAnswer is enabled, and only for
	// calls to which it applies.
	function answerAfter(s, callInfo) {
		const asked = /;answer-after=(\d+)/.exec(callInfo || '');
		if (asked) setTimeout(() => { if (s === session && s.isInProgress()) s.answer(media); }, 1000 * Number(asked[1]));
	}

	function listen(connection) {
		connection.addEventListener('track', ({ track }) => {
			document.getElementById('speaker').srcObject = new MediaStream([track]);
		});
	}

	const confirmed = (s) => new Promise((resolve, reject) => {
		s.on('confirmed', () => resolve());
		s.on('failed', (e) => reject(new Error(reason(e))));
	});

	function call(number) {
		const s = ua.call(number, media);
		return confirmed(s);
	}

	function answer() {
		const up = confirmed(session);
		session.answer(media);
		return up;
	}

	function hangup() {
		if (session) session.terminate();
	}

	function unregister() {
		return new Promise((resolve) => {
			ua.on('unregistered', () => resolve());
			ua.unregister();
		});
	}

	// What is: counted by the browser (W3C webrtc-stats), not by JsSIP.
	async function state() {
		const connection = session && session.connection;
		const is = {
			connected: Boolean(ua && ua.isConnected()),
			registered: Boolean(ua && ua.isRegistered()),
			sockets,
			ringing: Boolean(session && session.direction === 'incoming' && session.isInProgress()),
			remote: session ? session.remote_identity.uri.user : '',
			up: Boolean(session && session.isEstablished()),
			ended,
		};
		if (!connection) return is;
		const report = await connection.getStats();
		for (const stat of report.values()) {
			if (stat.type === 'outbound-rtp') {
				is.sent = stat.packetsSent;
				is.codec = report.get(stat.codecId)?.mimeType;
			} else if (stat.type === 'inbound-rtp') {
				is.received = stat.packetsReceived;
				is.lost = stat.packetsLost;
				is.energy = stat.totalAudioEnergy;
				is.receivedCodec = report.get(stat.codecId)?.mimeType;
			} else if (stat.type === 'transport') {
				is.dtls = stat.dtlsState;
				is.cipher = stat.srtpCipher;
				const pair = report.get(stat.selectedCandidatePairId);
				is.ice = pair ? pair.state : '';
			}
		}
		return is;
	}

	// Opens one more WebSocket and tells whether the browser accepted its
	// certificate: WebSockets do not tell why they fail.
	function connects(url) {
		return new Promise((resolve) => {
			const socket = new WebSocket(url, 'sip');
			socket.onopen = () => { socket.close(); resolve(true); };
			socket.onerror = () => resolve(false);
		});
	}

	return { register, unregister, call, answer, hangup, state, connects };
})();
