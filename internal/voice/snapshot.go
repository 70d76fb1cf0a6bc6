package voice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// The files of a snapshot; each is included by Asterisk's file of that name.
const (
	PJSIPFile      = "pjsip.conf"
	QueuesFile     = "queues.conf"
	VoicemailFile  = "voicemail.conf"
	ExtensionsFile = "extensions.conf"
	FeaturesFile   = "features.conf"
	HTTPFile       = "http.conf"
	MusicFile      = "musiconhold.conf"
)

// The files with the objects of phones, one for each type. Asterisk builds every
// object of a type anew when the type's file has changed, and passes over a type
// whose file is the one it has read: a password changes PJSIPAuthFile alone.
const (
	PJSIPAuthFile     = "pjsip_auth.conf"
	PJSIPAORFile      = "pjsip_aor.conf"
	PJSIPEndpointFile = "pjsip_endpoint.conf"
)

// MappedAOR is an AOR nobody can register to, in the machine's files of these names: an
// Asterisk that knows it has read them.
const MappedAOR = "ringmaster-mapped"

// SorceryMappings are the lines that section res_pjsip of the machine's sorcery.conf
// must have for these files, by the file.
var SorceryMappings = map[string]string{
	PJSIPAuthFile:     "auth=config,pjsip_auth.conf,criteria=type=auth",
	PJSIPAORFile:      "aor=config,pjsip_aor.conf,criteria=type=aor",
	PJSIPEndpointFile: "endpoint=config,pjsip_endpoint.conf,criteria=type=endpoint",
}

// The files of a snapshot that are read by their path; only a PBX with a
// Certificate has them.
const (
	CertificateFile = "tls.crt"
	KeyFile         = "tls.key"
)

// Snapshot is one version of all files of a PBX and what Asterisk must show
// once it has loaded them.
type Snapshot struct {
	// Version is the SHA-256 over all file names and hashes, in hex.
	Version string
	// Files are sorted by path.
	Files []File
	// Expect is what reading back from Asterisk must find.
	Expect Expect
	// Objects maps every object's Key to its hash: an object is in force as it
	// is now only when an acknowledged snapshot holds its present hash.
	Objects map[string]string
}

// File is one configuration file.
type File struct {
	// Path is the file's base name.
	Path string
	// Content is the whole file.
	Content []byte
	// SHA256 is the hash of Content, in hex.
	SHA256 string
}

// Expect is what Asterisk shows when exactly these files are loaded.
type Expect struct {
	// Endpoints are sorted by name; each has an auth of the same name.
	Endpoints []ExpectEndpoint
	// AORs are the names of all AORs, sorted, among them PJSIPRevision.
	AORs []string
	// PJSIPRevision is an AOR nobody can register to; it names the content of
	// pjsip.conf and pjsip_aor.conf, so that old files still loaded are told from
	// the new ones. Endpoints and auths have revisions of their own.
	PJSIPRevision string
	// DialplanRevision is the value of the global variable RevisionVariable.
	DialplanRevision string
	// Queues are sorted by name.
	Queues []ExpectQueue
	// Mailboxes are all mailboxes in MailboxContext, sorted by number.
	Mailboxes []ExpectMailbox
	// MusicClasses are the rendered classes of music on hold, sorted by name.
	MusicClasses []MusicClass
	// Contexts are contexts that the dialplan goes to and that are the site's
	// own, sorted. A missing one is for the site to repair, and no reason to
	// refuse the files.
	Contexts []string
	// Certificate is the SHA-256 of the leaf certificate (DER), in hex, that
	// the TLS listeners are to serve; empty when none was given.
	Certificate string
	// Transports are sorted by name.
	Transports []ExpectTransport
}

// ExpectEndpoint is one endpoint with its auth. Asterisk keeps the old object
// when it refuses a changed one, so that names alone prove nothing.
type ExpectEndpoint struct {
	Name string
	// Revision is the value of the endpoint's option RevisionOption.
	Revision string
	// Auth is AuthRevision of its auth.
	Auth string
}

// RevisionOption is the endpoint option that carries the revision of the
// endpoint: of all that can be read back, the one without an effect on calls.
const RevisionOption = "tenantid"

// AuthRevision is a hash of an auth's password digest as Asterisk shows it,
// for example "MD5:" and the HA1. The HA1 covers user name and realm too.
func AuthRevision(passwordDigest string) string {
	return digest([]byte(passwordDigest))[:16]
}

// ExpectQueue is one queue as QueueStatus shows it.
type ExpectQueue struct {
	Name, Strategy string
	// Members are sorted by interface.
	Members []ExpectMember
}

// ExpectMember is one queue member as QueueStatus shows it.
type ExpectMember struct {
	// Interface is, for example, "PJSIP/1001".
	Interface string
	Penalty   int
}

// ExpectMailbox is one voicemail box.
type ExpectMailbox struct {
	Number string
	// Owner is Mailbox.Owner.
	Owner string
	// PIN is MailboxPIN of owner and PIN: another value is a PIN that was set
	// anew, and replaces one that the owner chose by telephone.
	PIN string
}

// MailboxPIN is hex(SHA-256(owner:pin)).
func MailboxPIN(owner, pin string) string { return digest([]byte(owner + ":" + pin)) }

// ExpectTransport is one transport as "pjsip show transports" shows it.
type ExpectTransport struct {
	// Name is, for example, "transport-udp".
	Name string
	// Protocol is udp, tcp, tls, ws or wss.
	Protocol string
	// Bind is address:port.
	Bind string
}

// RevisionVariable is the dialplan's global variable that names the content
// of extensions.conf.
const RevisionVariable = "RINGMASTER_DIALPLAN"

// Render writes the files for one PBX. The same Center, in whatever order its
// objects and lists without an order are, gives the same files. The error joins one *FieldError for
// everything that cannot be represented; then nothing is rendered.
func Render(c Center) (Snapshot, error) {
	if errs := c.validate(); len(errs) > 0 {
		slices.SortStableFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return Snapshot{}, errors.Join(errs...)
	}
	c = c.sorted()
	s := Snapshot{Objects: c.objects()}
	for _, r := range []func(Center, *Expect) (File, error){
		renderExtensions, renderFeatures, renderHTTP, renderMusic, renderQueues, renderVoicemail,
	} {
		f, err := r(c, &s.Expect)
		if err != nil {
			return Snapshot{}, err
		}
		s.Files = append(s.Files, f)
	}
	for _, r := range []func(Center, *Expect) ([]File, error){renderPJSIP, renderCertificate} {
		files, err := r(c, &s.Expect)
		if err != nil {
			return Snapshot{}, err
		}
		s.Files = append(s.Files, files...)
	}
	slices.SortFunc(s.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	h := sha256.New()
	for _, f := range s.Files {
		fmt.Fprintf(h, "%s %s\n", f.Path, f.SHA256)
	}
	s.Version = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// NewFile is a File with its hash.
func NewFile(path string, content []byte) File {
	return File{Path: path, Content: content, SHA256: digest(content)}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Fingerprint is a hash over everything in the endpoint but Key, Hash and Telephone.
func (e Endpoint) Fingerprint() string {
	e.Key, e.Hash, e.Telephone = "", "", ""
	return fingerprint(e)
}

// Fingerprint is a hash over everything in the queue but Key and Hash.
func (q Queue) Fingerprint() string {
	q.Key, q.Hash = "", ""
	q.Members = sortedMembers(q.Members)
	return fingerprint(q)
}

func fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("voice: a plain struct cannot be marshalled: " + err.Error())
	}
	return digest(b)
}

// endpoints are those of the agents and then those of the telephones.
func (c Center) endpoints() iter.Seq[*Endpoint] {
	return func(yield func(*Endpoint) bool) {
		for _, list := range [][]Endpoint{c.Agents, c.Telephones} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

func (c Center) objects() map[string]string {
	m := make(map[string]string, len(c.Agents)+len(c.Telephones)+len(c.Queues))
	for e := range c.endpoints() {
		m[e.Key] = e.Hash
		if e.Hash == "" {
			m[e.Key] = e.Fingerprint()
		}
	}
	for _, q := range c.Queues {
		m[q.Key] = q.Hash
		if q.Hash == "" {
			m[q.Key] = q.Fingerprint()
		}
	}
	return m
}

// sorted copies what it reorders, so that the caller's slices stay as they are.
func (c Center) sorted() Center {
	c.Agents = slices.Clone(c.Agents)
	slices.SortFunc(c.Agents, func(a, b Endpoint) int { return strings.Compare(a.Extension, b.Extension) })
	c.Telephones = slices.Clone(c.Telephones)
	slices.SortFunc(c.Telephones, func(a, b Endpoint) int { return strings.Compare(a.Name, b.Name) })
	c.PBX.MusicClasses = slices.Clone(c.PBX.MusicClasses)
	slices.SortFunc(c.PBX.MusicClasses, func(a, b MusicClass) int { return strings.Compare(a.Name, b.Name) })
	c.Queues = slices.Clone(c.Queues)
	slices.SortFunc(c.Queues, func(a, b Queue) int { return strings.Compare(a.Name, b.Name) })
	for i := range c.Queues {
		c.Queues[i].Members = sortedMembers(c.Queues[i].Members)
	}
	return c
}

func sortedMembers(m []Member) []Member {
	m = slices.Clone(m)
	slices.SortFunc(m, func(a, b Member) int { return strings.Compare(a.Extension, b.Extension) })
	return m
}
