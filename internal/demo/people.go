package demo

// First and last names are combined so that five thousand people get different
// ones. They are common names; nobody in particular is meant.
var firstNames = []string{
	"Ada", "Adele", "Aisha", "Alan", "Alex", "Amara", "Ana", "Andre", "Anika", "Arjun", "Astrid", "Ben", "Bianca", "Carlos", "Carmen", "Chen",
	"Chloe", "Clara", "Daniel", "Daria", "David", "Diego", "Elena", "Elif", "Emeka", "Emil", "Emma", "Erik", "Esther", "Farah", "Felix", "Fatima",
	"Grace", "Hana", "Hannah", "Hugo", "Ines", "Isaac", "Ivan", "Jana", "Jonas", "Jose", "Julia", "Kai", "Karim", "Katya", "Kenji", "Lara",
	"Leila", "Lena", "Leo", "Liam", "Lin", "Lucia", "Luis", "Maja", "Marco", "Maria", "Marta", "Mateo", "Maya", "Mei", "Mia", "Mina",
	"Mohamed", "Nadia", "Nia", "Nils", "Noah", "Nora", "Olga", "Omar", "Oscar", "Paula", "Pavel", "Priya", "Rafael", "Rahul", "Rania", "Rosa",
	"Ruth", "Samir", "Sara", "Sofia", "Tariq", "Thea", "Tomas", "Uma", "Vera", "Victor", "Wei", "Yara", "Yuki", "Yusuf", "Zara", "Zoe",
}

var lastNames = []string{
	"Abel", "Adams", "Ahmed", "Almeida", "Andersen", "Bauer", "Becker", "Bell", "Berg", "Bianchi", "Brown", "Castro", "Chen", "Clark", "Cohen", "Costa",
	"Cruz", "Dahl", "Das", "Davis", "Diaz", "Dubois", "Evans", "Fischer", "Fontaine", "Garcia", "Gomez", "Gupta", "Haas", "Hansen", "Hassan", "Hill",
	"Hoffmann", "Huang", "Ito", "Ivanov", "Jansen", "Jones", "Kaya", "Keller", "Khan", "Kim", "Kowalski", "Kumar", "Larsen", "Lee", "Lopez", "Ludwig",
	"Martin", "Mendes", "Meyer", "Miller", "Moreau", "Mwangi", "Nakamura", "Navarro", "Nguyen", "Novak", "Okafor", "Olsen", "Park", "Patel", "Petrov", "Pinto",
	"Popescu", "Quinn", "Ramos", "Rao", "Reyes", "Ricci", "Rossi", "Santos", "Sato", "Schmidt", "Schulz", "Silva", "Singh", "Smith", "Sousa", "Suzuki",
	"Tanaka", "Taylor", "Thomas", "Torres", "Ueda", "Vance", "Vargas", "Virtanen", "Walker", "Wang", "Weber", "Wei", "White", "Wolf", "Wood", "Young",
}

// department is a part of the company: its group, how many people it has, and
// how far they have come with passkeys (per cent).
type department struct {
	name, title string
	people      int
	passkeys    int
}

var departments = []department{
	{"Engineering", "Engineer", 1310, 91},
	{"Sales", "Account Manager", 870, 64},
	{"Operations", "Operations Specialist", 520, 48},
	{"Finance", "Analyst", 240, 72},
	{"Marketing", "Marketing Specialist", 210, 69},
	{"Human Resources", "HR Partner", 120, 77},
	{"Legal", "Counsel", 60, 58},
	{"Frontline", "Store Associate", 1640, 9},
}
