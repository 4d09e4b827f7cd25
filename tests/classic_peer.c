/* A client and a server of the classic protocol, written from its description alone (docs/CLASSIC.md).
   One exchange, stop and wait, 2 s, the last message again; it takes data by offset, as a careful program would.
     peer get  HOST PORT NAME FILE        peer list HOST PORT
     peer put  HOST PORT NAME FILE        peer serve PORT DIR   (prints its port, serves until it is killed) */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

struct message {
	int32_t type;
	char mss_buffer[1000], file_name[1000];
	int32_t len, seq, ACK;
	uint8_t end_flag, padding[3];
};
_Static_assert(sizeof(struct message) == 2020, "the layout of a 32-bit compiler");

enum { APPLY_FILE_DIC, AGREE_FILE_DIC, APPLY_UPLOAD_FILE, AGREE_UPLOAD_FILE, START_UPLOAD_FILE, END_UPLOAD_FILE,
	APPLY_DOWNLOAD_FILE = 7, AGREE_DOWNLOAD_FILE, START_DOWNLOAD_FILE, END_DOWNLOAD_FILE };

static int sock;
static struct sockaddr_in other;

static void say(struct message *m, int type, const char *name)
{
	m->type = type;
	strcpy(m->file_name, name);
	sendto(sock, m, sizeof *m, 0, (struct sockaddr *)&other, sizeof other);
}

/* The next message; 0 when 2 s have passed. Other sizes are not messages. */
static int hear(struct message *m, struct sockaddr_in *from)
{
	socklen_t size = sizeof *from;
	ssize_t n = recvfrom(sock, m, sizeof *m, 0, (struct sockaddr *)from, &size);
	return n == sizeof *m;
}

/* Sends `ask` until a message comes that `fits`; the program ends after 10 tries. */
static struct message ask(struct message *ask, int type, const char *name, int (*fits)(struct message *, int), int at)
{
	for (int tries = 0; tries < 10; tries++) {
		struct message answer;
		struct sockaddr_in from;
		say(ask, type, name);
		while (hear(&answer, &from))
			if (from.sin_port == other.sin_port && fits(&answer, at))
				return answer;
	}
	fprintf(stderr, "no answer to type %d for %s\n", type, name);
	exit(3);
}

static int is_list(struct message *m, int at) { (void)at; return m->type == AGREE_FILE_DIC; }
static int agrees(struct message *m, int at) { (void)at; return m->type == AGREE_DOWNLOAD_FILE && m->seq == -1; }
static int is_piece(struct message *m, int at) { return m->type == AGREE_DOWNLOAD_FILE && m->seq == at; }
static int is_taken(struct message *m, int at) { return m->type == AGREE_UPLOAD_FILE && m->ACK == at; }
static int is_end(struct message *m, int at) { (void)at; return m->type == END_UPLOAD_FILE; }

static void get(const char *name, const char *path)
{
	struct message m = {0}, answer;
	FILE *file = fopen(path, "wb");
	ask(&m, APPLY_DOWNLOAD_FILE, name, agrees, 0);
	do {
		answer = ask(&m, START_DOWNLOAD_FILE, "", is_piece, m.ACK);
		fwrite(answer.mss_buffer, 1, answer.len, file);
		m.ACK += answer.len;
	} while (!answer.end_flag);
	fclose(file);
	for (struct sockaddr_in from; say(&m, END_DOWNLOAD_FILE, ""), hear(&answer, &from);)
		; /* the last piece came again: the end was lost */
}

static void put(const char *name, const char *path)
{
	struct message m = {0};
	FILE *file = fopen(path, "rb");
	ask(&m, APPLY_UPLOAD_FILE, name, is_taken, 0);
	do {
		m.len = fread(m.mss_buffer, 1, 1000, file);
		m.end_flag = m.len < 1000;
		ask(&m, START_UPLOAD_FILE, "", m.end_flag ? is_end : is_taken, m.seq + m.len);
		m.seq += m.len;
	} while (!m.end_flag);
	fclose(file);
}

/* One client at a time, as long as it has something to say. */
static void serve(const char *dir)
{
	static struct message m, last;
	FILE *up = NULL, *down = NULL;
	char path[3000], name[1000] = "";
	int have = 0;
	for (;;) {
		if (!hear(&m, &other))
			continue;
		if (m.file_name[0])
			snprintf(name, sizeof name, "%s", m.file_name);
		snprintf(path, sizeof path, "%s/%s", dir, name);
		memset(&last, 0, sizeof last);
		if (m.type == APPLY_FILE_DIC) {
			DIR *d = opendir(dir);
			for (struct dirent *e; (e = readdir(d));)
				if (strlen(last.mss_buffer) + strlen(e->d_name) + 2 <= 1000)
					strcat(strcat(last.mss_buffer, e->d_name), "\r");
			closedir(d);
			say(&last, AGREE_FILE_DIC, "");
		} else if (m.type == APPLY_UPLOAD_FILE) {
			if (!up)
				up = fopen(path, "wb"), have = 0;
			last.ACK = have;
			say(&last, AGREE_UPLOAD_FILE, name);
		} else if (m.type == START_UPLOAD_FILE) {
			if (up && m.seq == have) {
				fwrite(m.mss_buffer, 1, m.len, up);
				have += m.len;
				if (m.end_flag)
					fclose(up), up = NULL;
			}
			last.ACK = have;
			say(&last, up || !m.end_flag ? AGREE_UPLOAD_FILE : END_UPLOAD_FILE, name);
		} else if (m.type == APPLY_DOWNLOAD_FILE) {
			if (down)
				fclose(down);
			if ((down = fopen(path, "rb")))
				last.seq = -1, say(&last, AGREE_DOWNLOAD_FILE, name);
		} else if (m.type == START_DOWNLOAD_FILE && down) {
			fseek(down, last.seq = m.ACK, SEEK_SET);
			last.len = fread(last.mss_buffer, 1, 1000, down);
			last.end_flag = last.len < 1000;
			say(&last, AGREE_DOWNLOAD_FILE, name);
		}
	}
}

int main(int argc, char **argv)
{
	struct timeval timeout = {2, 0};
	int serves = argc == 4 && !strcmp(argv[1], "serve");
	if (argc < 4)
		return 2;
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	other.sin_family = AF_INET;
	other.sin_port = htons(atoi(argv[serves ? 2 : 3]));
	inet_pton(AF_INET, serves ? "127.0.0.1" : argv[2], &other.sin_addr);
	if (serves) {
		socklen_t size = sizeof other;
		if (bind(sock, (struct sockaddr *)&other, size) || getsockname(sock, (struct sockaddr *)&other, &size))
			return 1;
		printf("%d\n", ntohs(other.sin_port));
		fflush(stdout);
		serve(argv[3]);
	} else if (!strcmp(argv[1], "list")) {
		struct message m = {0};
		fputs(ask(&m, APPLY_FILE_DIC, "", is_list, 0).mss_buffer, stdout);
	} else if (argc == 6) {
		(!strcmp(argv[1], "get") ? get : put)(argv[4], argv[5]);
	}
	return 0;
}
